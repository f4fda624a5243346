// Common to run, reload and rollback: begin the rollout, wait for it with -wait, and print its result.
import { host } from "#host";
import { CallError } from "../../../control/client.ts";
import { callDeploy, type DeployMethod } from "../../../control/deploy-call.ts";
import { ERROR_CODES, type Methods, type RunResult } from "../../../control/messages.ts";
import type { RunParams } from "../../../control/run-params.ts";
import { Output } from "../../output.ts";
import { endProgram } from "../../program.ts";
import type { Action } from "../command.ts";
import type { Session } from "../session.ts";
import { printFailure, printSuccess } from "./outcome.ts";
import { LiveLine, ProgressLines } from "./progress.ts";

/** The status that a shell reports for a command that SIGINT killed. */
const INTERRUPTED = 130;

/** Begins a rollout and prints its result. */
export const deploy =
  <M extends DeployMethod>(method: M, params: Methods[M]["params"]): Action =>
  async (session) => {
    const begun = host.clock.monotonicNow();
    const live = params.wait === true ? progressOf(session) : null;
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
      return await printSuccess(
        session,
        result,
        params.wait === true ? Math.round(host.clock.monotonicNow() - begun) : null,
      );
    } catch (error) {
      live?.end();
      if (!(error instanceof CallError)) throw error;
      return await printFailure(session, error, Math.round(host.clock.monotonicNow() - begun));
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

/** A live line on a terminal, else lines; none with -json. */
const progressOf = (session: Session): LiveLine | ProgressLines | null => {
  if (session.json) return null;
  const isDumb = host.processes.variable("TERM") === "dumb";
  return isDumb || !session.out.isTerminal ? new ProgressLines(session.out) : new LiveLine(session.out);
};

/** The rollout belongs to crank: an interrupt only ends the wait. */
const onInterrupt = (live: LiveLine | ProgressLines | null): (() => void) =>
  host.signals.on("SIGINT", () => {
    live?.end();
    // Not the session's output, which may be held back until other services are done.
    new Output(2).write("The rollout continues; 'crankctl status' shows its progress.\n");
    endProgram(INTERRUPTED);
  });
