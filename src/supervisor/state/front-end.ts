// What a program that crank can be called as has to define. Differences are data in the settings where possible, else
// one of these functions. None of them supervises: they call the functions of actions.ts and requests.ts.
import type { UpgradeDone } from "../../control/messages.ts";
import type { KeeperEvent } from "../../keeper/protocol.ts";
import type { Settings } from "./settings.ts";

/** The result of a command line. `say`: print and exit, as for -help, -version and wrong usage. */
export type Invocation =
  | {
      readonly kind: "serve";
      readonly settings: Settings;
      /** Directories that are made if they are missing, those above them included. */
      readonly directories?: readonly string[];
    }
  | { readonly kind: "say"; readonly sink: "stdout" | "stderr"; readonly text: string; readonly status: number };

/** A signal that the keeper received: its name (`SIGHUP`), and when it was delivered (CLOCK_MONOTONIC ms). */
export type ReceivedSignal = { readonly name: string; readonly now: number };

/**
 * A line on the control socket that is not JSON-RPC. `text`: null if it is not UTF-8. `mayControl`: the sender may do
 * more than acknowledge.
 */
export type ForeignLine = {
  readonly event: Extract<KeeperEvent, { kind: "line" }>;
  readonly text: string | null;
  readonly mayControl: boolean;
};

/** A line of the program's own log, without its newline. */
export type LogEntry = { readonly level: Level; readonly message: string; readonly wallMs: number };

/**
 * A command through which an upgrade starts the new supervisor, instead of crank's own program. Programs are looked up
 * in PATH.
 */
export type Wrapper = {
  /** The command that checks whether it can start; status 0 means yes. */
  readonly check: readonly string[];
  /**
   * The command that becomes the supervisor, by executing crank's program with `--with-state-fd FD` as its first
   * arguments.
   */
  readonly command: (fd: number) => readonly string[];
  /** Variables removed before. Later workers get the environment that the wrapper passes on. */
  readonly unset: readonly string[];
  /** Time limit of the check and of the start, each, ms; 0: none. */
  readonly patienceMs: number;
};

/** How the upgrade with this number went. `message` is a whole sentence. */
export type UpgradeOutcome = { readonly number: number } & (
  | { readonly kind: "done"; readonly done: UpgradeDone }
  | { readonly kind: "failed"; readonly message: string }
);

export type Level = "error" | "warning" | "info" | "debug";
