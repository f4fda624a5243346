// Both sides of an upgrade's check. The running crank starts the new program with a copy of the journal. The new
// program, called with --upgrade-check, answers whether it could continue from that.
import { host } from "#host";
import { parseFlatJson } from "../../control/json.ts";
import { nextDeadline } from "../../core/deadline.ts";
import { bytesOf, textOf } from "../../host/bytes.ts";
import { readJournal } from "../../keeper/journal.ts";
import { PROTOCOL_VERSION } from "../../keeper/protocol.ts";
import { VERSION } from "../../version.ts";
import { status } from "../control/queries.ts";
import { helperProcess } from "../os/helper-process.ts";
import { linuxPlatform } from "../os/linux.ts";
import { programPath } from "../os/program-path.ts";
import { readWhole } from "../os/system-files.ts";
import type { KeeperFacts } from "../state/keeper-facts.ts";
import type { Upgrade, UpgradeAnswer } from "../state/parts/upgrade.ts";
import { processId } from "../state/process-ids.ts";
import { formatProblem, restoreStore } from "../state/restore.ts";
import type { FrontEnd, Store } from "../state/store.ts";

/** `JOURNAL:ANSWER`, the check's descriptors. */
const VARIABLE = "CRANK_UPGRADE_CHECK";
const JOURNAL_FD = 3;
const ANSWER_FD = 4;
const STDERR = 2;
/** Handles of copies of the journal; nothing else uses these numbers. */
const FIRST_COPY = 2 ** 33;

/** The handle of the journal's copy. */
export const copyHandle = (upgrade: number): number => FIRST_COPY + upgrade;

/** Starts the check, through the front end's wrapper if it has one. */
export const startUpgradeCheck = (store: Store, { number, program }: Upgrade): void => {
  const { facts, settings, batch } = store;
  const wrapper = store.frontEnd.wrapper?.(store) ?? null;
  const args = wrapper?.check ?? [facts.program, "--upgrade-check", ...facts.args];
  batch.command({ kind: "copyJournal", handle: copyHandle(number) });
  batch.command(
    helperProcess({
      worker: processId("upgradeCheck", number),
      file: wrapper ? programPath(store, args[0] ?? "", "") : program.file,
      args,
      cwd: "",
      env: [[VARIABLE, `${JOURNAL_FD}:${ANSWER_FD}`]],
      unset: wrapper?.unset ?? [],
      descriptors: [copyHandle(number), JOURNAL_FD],
      output: 0,
      notifyFd: ANSWER_FD,
      prefix: (settings?.linePrefix ?? "").replace("%w", "upgrade").replace("%m", String(facts.pid)),
      json: `"service":${JSON.stringify(settings?.name ?? "")},"upgrade":${number}`,
    }),
  );
};

/** The new program's answer; null if it is not valid. */
export const parseUpgradeAnswer = (bytes: Uint8Array): UpgradeAnswer | null => {
  const answer = parseFlatJson(textOf(bytes));
  if (typeof answer !== "object" || answer === null) return null;
  const { crank: version, protocol, home, runtime } = Object.fromEntries(Object.entries(answer));
  const isWhole = typeof version === "string" && typeof protocol === "number";
  return isWhole && isDirectory(home) && isPath(runtime) ? { version, protocol, home, runtime } : null;
};

/** "" stands for the root directory. */
const isDirectory = (path: unknown): path is string => path === "" || isPath(path);
const isPath = (path: unknown): path is string => typeof path === "string" && path.startsWith("/");

/**
 * Answers the check for which this process was started, and exits: with status 0 if this program could continue from
 * the journal.
 */
export const answerUpgradeCheck = (frontEnd: FrontEnd): void => {
  const { files, processes } = host;
  const descriptors = /^(\d+):(\d+)$/.exec(processes.variable(VARIABLE) ?? "");
  // Called by hand, or through a wrapper that removed the variable: that the program runs is the answer.
  if (!descriptors) return processes.exit(0);
  const problem = problemWith(frontEnd, readWhole(`/proc/self/fd/${descriptors[1]}`));
  if (problem !== null) {
    files.write(STDERR, bytesOf(`crank ${VERSION} cannot continue: ${problem}\n`));
    return processes.exit(1);
  }
  files.write(Number(descriptors[2]), bytesOf(JSON.stringify(answer())));
  processes.exit(0);
};

/** The keeper's program sets CRANK_HOME (keeper/main/programs.c). */
const answer = (): Record<string, unknown> => {
  const home = host.processes.variable("CRANK_HOME");
  return { crank: VERSION, protocol: PROTOCOL_VERSION, home, runtime: `${home}/bin/runtime` };
};

/** Why this program cannot continue from a journal; null: it can. */
export const problemWith = (frontEnd: FrontEnd, bytes: Uint8Array): string | null => {
  const journal = readJournal(bytes);
  if (journal.kind === "empty") return "the journal is empty";
  if (journal.kind === "stale") return "the journal is not the last state";
  if (journal.kind === "newer")
    return `the journal was written by a later version of crank (format ${journal.version})`;
  if (journal.kind === "corrupt") return `the journal is damaged: ${journal.reason}`;
  const problem = formatProblem(journal.entries);
  if (problem !== null) return `the journal ${problem}`;
  try {
    const now = Math.round(host.clock.monotonicNow());
    const store = restoreStore({ platform: linuxPlatform(() => now), frontEnd, facts: FACTS }, journal.entries);
    // Read everything once, as a start would.
    void [status(store, {}), nextDeadline(store.core)];
    return store.settings === null ? "the journal has no settings" : null;
  } catch (error) {
    return `the journal cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
};

/** Placeholders: there is no keeper here. */
const FACTS: KeeperFacts = {
  ...{
    pid: 0,
    version: "",
    startedAt: 0,
    realtimeOffset: 0,
    bootId: "",
    home: "",
    cwd: "/",
    args: [],
    program: "crank",
  },
  ...{ fresh: false, consumed: 0, executions: 0, path: "" },
};
