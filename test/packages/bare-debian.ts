// A Debian with only its base system, below the test's directory: debootstrap makes it, and a process in its own namespaces
// keeps /proc mounted in it. It shares this machine's network.
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Bench, type Ended, ROOT, type Running } from "../e2e/harness/bench.ts";
import { descendants } from "../e2e/harness/processes.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { type Fact, ROOT_USER } from "../needs.ts";

/** The system is made once for all tests of a run of this machine. */
const BASE = join(ROOT, "build/packages-base");

/** Makes it below another name first: a run that was ended leaves none that looks complete. Arguments: its path, the mirror. */
const MAKE_BASE = `test ! -e "$1" || exit 0
rm -rf --one-file-system "$1.new" && debootstrap --variant=minbase bookworm "$1.new" $2 && mv "$1.new" "$1"`;

/** The mirror that apt uses; "": that of debootstrap. */
const mirror = (): string => {
  if (process.env.FRESH_MIRROR !== undefined) return process.env.FRESH_MIRROR;
  const { stdout } = spawnSync("apt-get", ["indextargets", "--format", "$(REPO_URI)"], { encoding: "utf8" });
  return stdout?.split("\n")[0] ?? "";
};

const answers = async (address: string): Promise<boolean> => {
  if (address === "") return true;
  try {
    const release = `${address.replace(/\/+$/, "")}/dists/bookworm/Release`;
    return (await fetch(release, { method: "HEAD", signal: AbortSignal.timeout(10_000) })).ok;
  } catch {
    return false;
  }
};

/** Whether a bare Debian can be made: needs debootstrap, root, and a mirror that answers. */
export const DEBIAN: Fact = {
  name: "root with debootstrap and a Debian mirror",
  isMet: ROOT_USER.isMet && Bun.which("debootstrap") !== null && (await answers(mirror())),
};

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export class BareDebian {
  readonly directory: string;
  readonly #bench: Bench;
  readonly #pid: number;

  private constructor(bench: Bench, directory: string, pid: number) {
    this.#bench = bench;
    this.directory = directory;
    this.#pid = pid;
  }

  static async make(bench: Bench): Promise<BareDebian> {
    const made = await bench.run(["flock", `${BASE}.lock`, "sh", "-c", MAKE_BASE, "sh", BASE, mirror()]);
    if (made.status !== 0) throw new Error(`debootstrap: ${made.stdout.slice(-500)}${made.stderr}`);
    const directory = join(bench.directory, "debian");
    const copied = await bench.run(["cp", "-a", BASE, directory]);
    if (copied.status !== 0) throw new Error(copied.stderr);
    const script = `mount -t proc proc ${directory}/proc && exec chroot ${directory} sleep 3600`;
    const kept = bench.start(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]);
    const pid = await waitFor("the process that keeps the system", () => sleeperBelow(kept.pid));
    return new BareDebian(bench, directory, pid);
  }

  /** Runs a program there, with a login's environment. */
  run(...command: readonly string[]): Promise<Ended> {
    return this.start(...command).ended;
  }

  /** Starts a program there. */
  start(...command: readonly string[]): Running {
    const enter = ["nsenter", "-t", String(this.#pid), "--mount", "--pid", "--root"];
    return this.#bench.start([
      ...enter,
      "--",
      "env",
      "--chdir=/",
      "-i",
      `PATH=${PATH}`,
      "HOME=/root",
      "DEBIAN_FRONTEND=noninteractive",
      ...command,
    ]);
  }

  /** Copies a file of this machine into its /root. Returns the path there. */
  put(file: string): string {
    cpSync(file, join(this.directory, "root", basename(file)));
    return `/root/${basename(file)}`;
  }
}

const sleeperBelow = (pid: number): number | undefined =>
  descendants(pid).find((below) => {
    try {
      return readFileSync(`/proc/${below}/comm`, "utf8") === "sleep\n";
    } catch {
      return false;
    }
  });
