// crankctl adopt -dry-run: what the next crank of this name would adopt. It needs no running crank, and changes nothing.
import { host } from "#host";
import { HostError } from "../../../host/errors.ts";
import { readOrphanedService } from "../../../supervisor/adoption/orphaned-service.ts";
import { strangers, survey } from "../../../supervisor/adoption/survey.ts";
import { FileError } from "../../../supervisor/os/file-error.ts";
import { readOwnFile } from "../../../supervisor/os/files.ts";
import { linuxPlatform } from "../../../supervisor/os/linux.ts";
import { bindHandle } from "../../../supervisor/state/handles.ts";
import type { Adoption } from "../../../supervisor/state/parts/adoption.ts";
import { CRANK } from "../../crank/front-end.ts";
import { UsageError } from "../../flags.ts";
import { escapeControls } from "../../terminal.ts";
import { command, refuseOperands } from "../command.ts";

/** `running`: the pid of the running crank that has the lock; then nothing would be adopted. */
export type Prospect =
  | { readonly kind: "running"; readonly pid: number | null }
  | { readonly kind: "nothing"; readonly reason: string }
  | ({ readonly kind: "adoption"; readonly strangers: readonly string[] } & Omit<Adoption, "pid"> & {
        readonly keeper: number;
      });

export const adopt = command({
  name: "adopt",
  summary: "show what the next crank would adopt",
  usage: "-dry-run [flags]",
  about: [
    "Shows what a killed crank left, and what the next crank of this name would adopt: workers, sockets, and what cannot be recovered. Changes nothing; crank itself adopts when it starts.",
  ],
  examples: ["crankctl adopt -dry-run -name web"],
  flags: { "dry-run": { kind: "switch", help: "only show it" } },
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands);
    if (flags["dry-run"] !== true)
      throw new UsageError("-dry-run: missing. It shows what crank would adopt; crank itself adopts when it starts.");
    return async (session) => {
      const { address } = session;
      if (address.kind !== "unix")
        throw new UsageError("-ctl: adopt works only on the service's own machine. Give -name or a path.");
      const prospect = await lookAt(`${address.path.replace(/\.ctl$/, "")}.run`);
      session.print(prospect, describeProspect);
      return prospect.kind === "nothing" ? 1 : 0;
    };
  },
});

const lookAt = async (directory: string): Promise<Prospect> => {
  const holder = await lockHolder(`${directory}/lock`);
  if (holder !== null) return { kind: "running", pid: holder === 0 ? null : holder };
  const bytes = bytesOf(`${directory}/journal`);
  if (typeof bytes === "string") return { kind: "nothing", reason: bytes };
  const platform = linuxPlatform(() => Math.round(host.clock.monotonicNow()));
  const orphaned = readOrphanedService(
    { platform, frontEnd: CRANK, facts: { ...NO_FACTS, bootId: await bootId() } },
    bytes,
  );
  if (typeof orphaned === "string") return { kind: "nothing", reason: `the journal ${directory}/journal ${orphaned}` };
  const surveyor = { pid: platform.pid, uid: platform.uid, binds: orphaned.settings.binds, handleOf: bindHandle };
  const processes = platform.processes;
  let found: Adoption;
  try {
    found = await survey(processes, orphaned, surveyor);
  } catch (error) {
    // Values of the wrong shape under the right checksum.
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: "nothing", reason: `the journal ${directory}/journal cannot be read: ${reason}` };
  }
  if (found.workers.length === 0 && found.lost.length === 0)
    return { kind: "nothing", reason: `crank ${orphaned.pid} left no worker` };
  const { pid: keeper, ...adoption } = found;
  return { kind: "adoption", keeper, ...adoption, strangers: strangers(processes, orphaned, surveyor, found) };
};

/** A dry run has no keeper. */
const NO_FACTS = {
  ...{ pid: 0, version: "", startedAt: 0, realtimeOffset: 0, home: "", cwd: "/", args: [], program: "crank" },
  ...{ fresh: true, consumed: 0, executions: 0, path: "" },
};

const bootId = async (): Promise<string> => (await textOf("/proc/sys/kernel/random/boot_id")).trim();

/** Limit for all locks of a machine. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;

/** A file of /proc. */
const textOf = async (path: string): Promise<string> =>
  new TextDecoder().decode(await host.files.readBeside(path, MOST_TEXT_BYTES));

const MOST_JOURNAL_BYTES = 256 * 1024 * 1024;

const bytesOf = (path: string): Uint8Array | string => {
  try {
    // Its content is only shown.
    return readOwnFile(path, MOST_JOURNAL_BYTES, "any");
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    if (error.code === "ENOENT") return `there is no journal ${path}: no crank of this name was killed`;
    return `the journal ${path} cannot be read: ${error.message}`;
  }
};

/** The pid that holds flock(2) on the file, by /proc/locks; 0 if it is outside this pid namespace, null if there is none. */
const lockHolder = async (path: string): Promise<number | null> => {
  const inode = inodeOf(path);
  if (inode === null) return null;
  const held = (await textOf("/proc/locks")).matchAll(/^\d+: FLOCK\s+\S+\s+\S+\s+(\d+) \S+:(\d+) /gm);
  for (const [, pid, of] of held) if (of === inode) return Number(pid);
  return null;
};

/** In decimal, as in /proc/locks; null: no such file. */
const inodeOf = (path: string): string | null => {
  try {
    return host.files.status(path).identity.split(":")[1] ?? null;
  } catch (error) {
    if (error instanceof HostError && error.code === "ENOENT") return null;
    throw error;
  }
};

const describeProspect = (prospect: Prospect): string => {
  if (prospect.kind === "running")
    return `crank is running${prospect.pid === null ? "" : ` with pid ${prospect.pid}`}; there is nothing to adopt\n`;
  if (prospect.kind === "nothing") return `Nothing to adopt: ${escapeControls(prospect.reason)}\n`;
  const { keeper, sockets, workers, lost } = prospect;
  const lines = [
    `crank ${keeper} was killed; the next one would adopt ${workers.length} of ${workers.length + lost.length} workers`,
  ];
  for (const { id, pid, output, losses } of workers) {
    lines.push(
      `worker ${id} (pid ${pid}): adopted${output === null ? "" : `, with its output (descriptor ${output})`}`,
    );
    for (const loss of losses) lines.push(`  it ${loss}`);
  }
  for (const { id, reason } of lost) lines.push(`worker ${id}: not adopted: ${reason}`);
  for (const { address, holders, fails } of sockets) {
    const [holder] = holders;
    const from = holder
      ? `taken from worker ${holder.worker} (pid ${holder.pid}), descriptor ${holder.fd}`
      : "opened again";
    lines.push(`socket ${address}: ${from}`);
    for (const fail of fails) lines.push(`  ${fail}`);
  }
  return `${[...lines, ...prospect.strangers].map(escapeControls).join("\n")}\n`;
};
