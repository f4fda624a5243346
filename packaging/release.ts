// What all packages say about themselves: version, machine, date, texts.
import { existsSync, readFileSync } from "node:fs";
import { run } from "./run.ts";

/** The names of a machine: as the kernel says it, in Debian, in npm and in container images. rpm uses the kernel's. */
export type Machine = { readonly kernel: string; readonly debian: string; readonly npm: string; readonly oci: string };

const MACHINES: readonly Machine[] = [
  { kernel: "x86_64", debian: "amd64", npm: "x64", oci: "amd64" },
  { kernel: "aarch64", debian: "arm64", npm: "arm64", oci: "arm64" },
  { kernel: "riscv64", debian: "riscv64", npm: "riscv64", oci: "riscv64" },
];

export type Release = {
  readonly version: string;
  readonly machine: Machine;
  /** Seconds since 1970: the time of every file, so that two builds give the same bytes. */
  readonly epoch: number;
  readonly summary: string;
  readonly description: string;
  readonly license: string;
};

/** The release that the working directory holds, for the machine that `kernel` names (`uname -m`). */
export const releaseFor = (kernel: string): Release => {
  const machine = MACHINES.find((known) => known.kernel === kernel);
  if (machine === undefined)
    throw new Error(`no packages for ${kernel}: known are ${MACHINES.map((known) => known.kernel).join(", ")}`);
  // The type is certain, because the file belongs to the project.
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Readonly<Record<string, string>>;
  const { version = "", description = "", license = "" } = manifest;
  return {
    version,
    machine,
    epoch: epoch(),
    summary: description,
    description:
      "Crank owns the listening sockets of a service and starts workers that inherit them. It stops the old workers " +
      "only when the new ones have proved that they serve. A deploy that fails changes nothing.",
    license,
  };
};

/** SOURCE_DATE_EPOCH, else the time of the last commit, else of the package's manifest. */
const epoch = (): number => {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  if (existsSync(".git")) return Number(run("git", ["log", "-1", "--format=%ct"]).trim());
  return 1_700_000_000;
};
