// What a program that crank can be called as has to say. What differs is data in the settings where it can be, and one of
// these functions otherwise; none of them supervises: they call what actions.ts and requests.ts offer to all.
import type { UpgradeDone } from "../../control/messages.ts";
import type { Note } from "../../core/model/effects.ts";
import type { KeeperEvent } from "../../keeper/protocol.ts";
import type { Level } from "../events/log.ts";
import type { Platform } from "../os/platform.ts";
import type { Settings } from "./settings.ts";
import type { Memory } from "./store.ts";

/** What the command line asks for. `say`: print and exit, as for -help, -version and wrong usage. */
export type Invocation =
  | { readonly kind: "serve"; readonly settings: Settings }
  | { readonly kind: "say"; readonly sink: "stdout" | "stderr"; readonly text: string; readonly status: number };

/** A signal that the keeper received: its name (`SIGHUP`), and when it was delivered (CLOCK_MONOTONIC ms). */
export type ReceivedSignal = { readonly name: string; readonly now: number };

/** A line on the control socket that is not JSON-RPC. `text`: null if it is not UTF-8. `mayControl`: the sender may do more than acknowledge. */
export type ForeignLine = {
  readonly event: Extract<KeeperEvent, { kind: "line" }>;
  readonly text: string | null;
  readonly mayControl: boolean;
};

/** Another protocol on the control socket. */
export type Dialect = {
  /** Takes the line and answers it. False: it means nothing to this dialect, and is answered as no JSON-RPC. */
  readonly take: (memory: Memory, line: ForeignLine) => boolean | Promise<boolean>;
};

/** One line of the program's own log, still without its newline. */
export type LogEntry = { readonly level: Level; readonly message: string; readonly wallMs: number };

/** What a new supervisor is started through at an upgrade, instead of crank's own program. Programs are looked for in PATH. */
export type Wrapper = {
  /** The command that checks whether it could: it can if its status is 0. */
  readonly check: readonly string[];
  /** The command that becomes the supervisor, by way of crank's program with `--with-state-fd FD` as its first arguments. */
  readonly command: (fd: number) => readonly string[];
  /** Taken out of the environment before; what comes out of the wrapper is what later workers are started with. */
  readonly unset: readonly string[];
  /** How long the check and the start may take, each, ms; 0: for ever. */
  readonly patienceMs: number;
};

/** How the upgrade with this number went. `message` is a whole sentence. */
export type UpgradeOutcome = { readonly number: number } & (
  | { readonly kind: "done"; readonly done: UpgradeDone }
  | { readonly kind: "failed"; readonly message: string }
);

export type FrontEnd = {
  /** Reads the arguments (without the program's name). Called once in a crank's life. */
  readonly parse: (
    args: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
    cwd: string,
    platform: Platform,
  ) => Invocation | Promise<Invocation>;
  /** What each signal leads to; one that is not here is ignored. Until the sockets are open, SIGTERM, SIGINT and SIGQUIT end it instead. */
  readonly signals: Readonly<Record<string, (memory: Memory, signal: ReceivedSignal) => Promise<void> | void>>;
  readonly dialect: Dialect;
  /** What the log has for a note; null: nothing. */
  readonly describe: (memory: Memory, note: Note) => Pick<LogEntry, "level" | "message"> | null;
  /** Hears of every note when it is told, after the log. */
  readonly told?: (memory: Memory, note: Note) => void;
  /** Says what there is to say when the sockets are open. */
  readonly begun?: (memory: Memory) => Promise<void> | void;
  /** The wrapper of its upgrades, if it has one. */
  readonly wrapper?: (memory: Memory) => Wrapper | null;
  /** Hears how an upgrade went, in the batch in which that is known: from the new supervisor, or from the one that stays. */
  readonly upgraded?: (memory: Memory, outcome: UpgradeOutcome, now: number) => void;
  /** Hears that an errand (helper-commands.ts) failed; `how` completes "the command …". */
  readonly errandFailed?: (memory: Memory, how: string) => void;
  /** A worker that is ready and does not hold the sockets has failed; `warn`: its protocol takes it for ready all the same. */
  readonly unheldSockets?: "warn";
  /** How a line of the log looks in the text format. */
  readonly logLine: (memory: Memory, entry: LogEntry) => string;
  /** Where it is said why it cannot start, and what it ends with then; by default standard error, and 1. */
  readonly setUpFailure?: { readonly sink: "stdout" | "stderr"; readonly status: number };
};
