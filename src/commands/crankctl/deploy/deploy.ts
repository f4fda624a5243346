// Common to run, reload and rollback: begin the rollout, wait for it with -wait, and print its result.
import { host } from "#host";
import { CallError } from "../../../control/client.ts";
import { callDeploy, type DeployMethod } from "../../../control/deploy-call.ts";
import { ERROR_CODES, type FailureData, type Methods, type RunResult } from "../../../control/messages.ts";
import type { RunParams } from "../../../control/run-params.ts";
import { Output } from "../../output.ts";
import { endProgram } from "../../program.ts";
import { escapeControls, escapeLine, safeJson } from "../../terminal.ts";
import type { Action } from "../command.ts";
import type { Session } from "../session.ts";
import { LiveLine } from "./progress.ts";

const FAILED = 1;
/** The status that a shell reports for a command that SIGINT killed. */
const INTERRUPTED = 130;

/** Begins a rollout and prints its result. */
export const deploy =
  <M extends DeployMethod>(method: M, params: Methods[M]["params"]): Action =>
  async (session) => {
    const live = params.wait === true ? liveLine(session) : null;
    const forget = params.wait === true ? onInterrupt(live) : () => {};
    const connect = () =>
      session.connect((notification) => {
        if (notification.method === "progress") live?.show(notification.params);
      });
    try {
      const result = await callKnown(
        connect,
        method,
        session.address.kind === "tcp" ? asFromElsewhere(params) : params,
      );
      live?.end();
      return printSuccess(session, result);
    } catch (error) {
      live?.end();
      if (!(error instanceof CallError)) throw error;
      return printFailure(session, error);
    } finally {
      forget();
    }
  };

type Connect = Parameters<typeof callDeploy>[0];

/** A directory of this machine has no meaning on another one. */
export const asFromElsewhere = <P extends object>(params: P): P => {
  if (!("callerCwd" in params)) return params;
  const { callerCwd: _, ...others } = params;
  // The omitted parameters are optional.
  return others as P;
};

/** An earlier version does not know `callerCwd`: the directory is sent as `cwd`. */
const callKnown = async <M extends DeployMethod>(
  connect: Connect,
  method: M,
  params: Methods[M]["params"],
): Promise<RunResult> => {
  try {
    return await callDeploy(connect, method, params);
  } catch (error) {
    const isUnknown =
      error instanceof CallError &&
      error.rpc.code === ERROR_CODES.invalidParams &&
      error.rpc.message.includes('"callerCwd"');
    const given: RunParams = params;
    if (!isUnknown || given.callerCwd === undefined) throw error;
    return await callDeploy(connect, "run", { ...asFromElsewhere(given), cwd: given.cwd ?? given.callerCwd });
  }
};

const liveLine = (session: Session): LiveLine | null => {
  if (session.json || host.processes.variable("TERM") === "dumb" || !session.out.isTerminal) return null;
  return new LiveLine(session.out);
};

/** The rollout belongs to crank: an interrupt only ends the wait. */
const onInterrupt = (live: LiveLine | null): (() => void) =>
  host.signals.on("SIGINT", () => {
    live?.end();
    // Not the session's output, which may be held back until other services are done.
    new Output(2).write("The rollout continues; 'crankctl status' shows its progress.\n");
    endProgram(INTERRUPTED);
  });

const printSuccess = (session: Session, result: RunResult): number => {
  session.print(result, () => "Started successfully\n");
  if (result.warning !== undefined) session.err.write(`WARNING: ${escapeControls(result.warning)}\n`);
  return 0;
};

/** Prints why a deploy failed, with the last lines of the worker. Returns the exit status. */
export const printFailure = (session: Session, error: CallError): number => {
  const { rpc } = error;
  // A failed deploy has its own message, in one of the original's two forms.
  const text = rpc.code === ERROR_CODES.failed ? rpc.message : `Failed to start: ${rpc.message}`;
  session.out.write(session.json ? `${safeJson({ error: rpc })}\n` : `${escapeControls(text)}\n`);
  const reason = text.replace(/^Failed to start: /, "");
  session.err.write(`crankctl: ${escapeControls(reason)}\n${lastLines(rpc.data)}`);
  return FAILED;
};

/** The last lines of the failed worker, under a heading. */
const lastLines = (data: FailureData | undefined): string => {
  const tail = data !== undefined && "tail" in data.failure ? data.failure.tail.trimEnd() : "";
  if (data === undefined || tail === "") return "";
  const who = `worker ${data.worker ?? "?"}${data.pid === null ? "" : ` (pid ${data.pid})`}`;
  const lines = tail.split("\n").map((line) => `  | ${escapeLine(line)}\n`);
  return `Last lines of ${who}:\n${lines.join("")}`;
};
