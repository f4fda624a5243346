// crankctl apply: deploys the services of a configuration file that differ from it, one after the other.
import { CallError, type Client } from "../../../control/client.ts";
import { callDeploy } from "../../../control/deploy-call.ts";
import { ERROR_CODES, type RunResult, type Config as Settings } from "../../../control/messages.ts";
import type { RunParams } from "../../../control/run-params.ts";
import { escapeControls, safeJson } from "../../terminal.ts";
import { asFromElsewhere } from "../deploy/deploy.ts";
import { printFailure } from "../deploy/outcome.ts";
import { changesBetween, isSame } from "./changes.ts";
import { settingsOf, type Target, TargetError, wantedParams } from "./targets.ts";

/** What became of a service. */
export type Result =
  | { readonly kind: "unchanged"; readonly generation: number }
  /** The rollout is complete, or, without `wait`, has begun. */
  | { readonly kind: "deployed" | "begun"; readonly generation: number; readonly warning?: string };

const FAILED = 1;

/**
 * Deploys a service if it differs from the file. A rollout of the same settings, which an earlier apply began, is waited
 * for. Throws TargetError, CallError, EnvFileError, ConnectionLostError.
 */
export const applyOne = async (target: Target, wait: boolean): Promise<Result> => {
  const params = await wantedParams(target);
  for (;;) {
    const settings = await settled(target, params);
    const { running } = settings;
    if (running !== null && settings.asked !== null && changesBetween(running, settings.asked).length === 0)
      return { kind: "unchanged", generation: running.generation };
    const result = await deployed(target, params, { wait, after: running?.generation ?? null });
    if (result !== null) return resultOf(result, wait);
  }
};

const resultOf = ({ generation, warning }: RunResult, wait: boolean): Result => ({
  kind: wait ? "deployed" : "begun",
  generation,
  ...(warning === undefined ? {} : { warning }),
});

/** The settings when no rollout is in flight. */
const settled = async (target: Target, params: RunParams): Promise<Settings> => {
  for (;;) {
    const settings = await settingsOf(target, params);
    const { rollout, asked } = settings;
    if (rollout === null) return settings;
    if (asked === null || !isSame(rollout, asked))
      throw new TargetError(
        FAILED,
        `generation ${rollout.generation}, which is not what the file has, is being rolled out. Apply again when that has ended; crankctl status shows it`,
      );
    await endOfRollout(target);
  }
};

/** Waits until the rollout in flight has ended, or the connection has. */
const endOfRollout = async ({ session }: Target): Promise<void> => {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const client: Client = await session.connect(({ method, params }) => {
    if (method === "event" && (params.kind === "rolloutComplete" || params.kind === "rolloutRolledBack")) end();
  });
  try {
    await client.call("events", { follow: true });
    // It may have ended before its events were followed.
    const { rollout } = await client.call("config", {});
    if (rollout !== null) await Promise.race([ended, client.ended]);
  } finally {
    client.close();
  }
};

type Terms = { readonly wait: boolean /** The generation that was in effect. */; readonly after: number | null };

/** Null: another client has begun a rollout in between. */
const deployed = async ({ session }: Target, params: RunParams, { wait, after }: Terms): Promise<RunResult | null> => {
  const request = session.address.kind === "tcp" ? asFromElsewhere(params) : params;
  try {
    return await callDeploy(() => session.connect(), "run", { ...request, wait });
  } catch (error) {
    if (!(error instanceof CallError) || error.code !== ERROR_CODES.refused) throw error;
    const { rollout, running } = await session.ask((client) => client.call("config", {}));
    if (rollout === null && (running?.generation ?? null) === after) throw error;
    return null;
  }
};

/** Prints the result of one service. */
export const printResult = ({ service, session }: Target, result: Result): void => {
  if (session.json) return session.out.write(`${safeJson({ service: service.name, ...result })}\n`);
  session.out.write(`${escapeControls(service.name)}: ${sentence(result)}\n`);
  if (result.kind !== "unchanged" && result.warning !== undefined)
    session.err.write(`WARNING: ${escapeControls(service.name)}: ${escapeControls(result.warning)}\n`);
};

const sentence = ({ kind, generation }: Result): string => {
  switch (kind) {
    case "unchanged":
      return `unchanged (generation ${generation})`;
    case "deployed":
      return `generation ${generation} serves`;
    case "begun":
      return `generation ${generation} is being rolled out`;
  }
};

/** Prints why a service could not be applied. Returns the exit status; null: another kind of error. */
export const printProblem = async ({ service, session }: Target, error: unknown): Promise<number | null> => {
  const name = escapeControls(service.name);
  if (error instanceof CallError) return await printFailure(session, error, null);
  if (!(error instanceof Error) || !("code" in error)) return null;
  const status = error instanceof TargetError ? error.status : PROBLEMS.get(error.name);
  if (status === undefined) return null;
  session.err.write(`crankctl: ${name}: ${escapeControls(error.message)}\n`);
  return status;
};

const PROBLEMS: ReadonlyMap<string, number> = new Map([
  ["EnvFileError", 2],
  ["ConnectError", 3],
  ["ConnectionLostError", FAILED],
  ["NoAnswerError", FAILED],
  ["RequestTooLongError", FAILED],
]);
