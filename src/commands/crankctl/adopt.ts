// crankctl adopt -dry-run: what the next crank of this name would take over. It needs no crank, and changes nothing.
import { readFileSync, statSync } from "node:fs";
import { FileError, readOwnFile } from "../../supervisor/files.ts";
import type { Adoption } from "../../supervisor/left.ts";
import { UsageError } from "../flags.ts";
import { escapeControls } from "../terminal.ts";
import { command, refuseWords } from "./command.ts";

/** `running`: the pid of the crank that lives and has the lock; nothing would be adopted then. */
export type Prospect =
  | { readonly kind: "running"; readonly pid: number | null }
  | { readonly kind: "nothing"; readonly reason: string }
  | ({ readonly kind: "adoption"; readonly strangers: readonly string[] } & Omit<Adoption, "pid"> & {
        readonly keeper: number;
      });

export const adopt = command({
  name: "adopt",
  summary: "show what the next crank would take over",
  usage: "-dry-run [flags]",
  about: [
    "Shows what a crank that was killed has left, and what of it the next crank of this name would adopt: workers, sockets, and what cannot be had back. Changes nothing; the adopting itself is done by crank when it is started.",
  ],
  flags: { "dry-run": { kind: "switch", help: "only show it" } },
  placement: "anywhere",
  prepare: (flags, words) => {
    refuseWords(words);
    if (flags["dry-run"] !== true)
      throw new UsageError("crank adopts by itself when it is started; -dry-run shows what it would adopt");
    return async (session) => {
      const { address } = session;
      if (address.kind !== "unix")
        throw new UsageError("what was left is known on its own machine: give -name or a path");
      const prospect = await lookAt(`${address.path.replace(/\.ctl$/, "")}.run`);
      await session.print(prospect, describeProspect);
      return prospect.kind === "nothing" ? 1 : 0;
    };
  },
});

const lookAt = async (directory: string): Promise<Prospect> => {
  const holder = lockHolder(`${directory}/lock`);
  if (holder !== null) return { kind: "running", pid: holder === 0 ? null : holder };
  const bytes = bytesOf(`${directory}/journal`);
  if (typeof bytes === "string") return { kind: "nothing", reason: bytes };
  const { readLeft } = await import("../../supervisor/left-service.ts");
  const { linuxPlatform } = await import("../../supervisor/linux.ts");
  const { bindHandle } = await import("../../supervisor/sockets.ts");
  const { strangers, survey } = await import("../../supervisor/survey.ts");
  const { CRANK } = await import("../crank-front-end.ts");
  const platform = linuxPlatform(() => Math.round(performance.now()));
  const left = readLeft({ platform, frontEnd: CRANK, facts: { ...NO_FACTS, bootId: bootId() } }, bytes);
  if (typeof left === "string") return { kind: "nothing", reason: `the journal ${directory}/journal ${left}` };
  const looker = { uid: platform.uid, binds: left.settings.binds, handleOf: bindHandle };
  const processes = await platform.processes();
  const found = await survey(processes, left, looker);
  if (found.workers.length === 0 && found.lost.length === 0)
    return { kind: "nothing", reason: `crank ${left.pid} left no worker` };
  const { pid: keeper, ...adoption } = found;
  return { kind: "adoption", keeper, ...adoption, strangers: strangers(processes, left, looker, found) };
};

/** There is no keeper here. */
const NO_FACTS = {
  ...{ pid: 0, version: "", startedAt: 0, realtimeOffset: 0, home: "", cwd: "/", args: [], program: "crank" },
  ...{ fresh: true, consumed: 0, executions: 0, path: "" },
};

const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

const MOST_JOURNAL_BYTES = 256 * 1024 * 1024;

const bytesOf = (path: string): Uint8Array | string => {
  try {
    // Nothing is done by what it says: it is shown.
    return readOwnFile(path, MOST_JOURNAL_BYTES, "any");
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    if (error.code === "ENOENT") return `there is no journal ${path}: no crank of this name was killed`;
    return `the journal ${path} cannot be read: ${error.message}`;
  }
};

/** Who holds flock(2) on the file, as /proc/locks says; 0 if that is nobody of this pid namespace, null for nobody. */
const lockHolder = (path: string): number | null => {
  const inode = statSync(path, { throwIfNoEntry: false })?.ino;
  if (inode === undefined) return null;
  const held = readFileSync("/proc/locks", "utf8").matchAll(/^\d+: FLOCK\s+\S+\s+\S+\s+(\d+) \S+:(\d+) /gm);
  for (const [, pid, of] of held) if (Number(of) === inode) return Number(pid);
  return null;
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
      : "opened anew";
    lines.push(`socket ${address}: ${from}`);
    for (const fail of fails) lines.push(`  ${fail}`);
  }
  return `${[...lines, ...prospect.strangers].map(escapeControls).join("\n")}\n`;
};
