// What a program that crank can be called as has to say. What differs is data in the settings where it can be, and one of
// these functions otherwise; none of them supervises: they call what actions.ts and requests.ts offer to all.
import type { UpgradeDone } from "../../control/messages.ts";
import type { KeeperEvent } from "../../keeper/protocol.ts";
import type { Settings } from "./settings.ts";

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

export type Level = "error" | "warning" | "info" | "debug";
