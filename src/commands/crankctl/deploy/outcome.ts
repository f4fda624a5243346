// How a deploy ended: one line for people, or one JSON document, with what serves now.
import { type CallError, type Client, connect } from "../../../control/client.ts";
import { ERROR_CODES, type FailureData, type RunResult, type Status } from "../../../control/messages.ts";
import { escapeControls, escapeLine, safeJson, span } from "../../terminal.ts";
import type { Session } from "../session.ts";
import { measured } from "../workers/measured.ts";

/** What serves after a deploy. `draining`: open connections of stopping workers; null: unknown. */
type Serving = {
  readonly name: string;
  readonly generation: number | null;
  readonly ready: number;
  readonly wanted: number;
  readonly draining: number | null;
};

/** How long crank may take to answer what serves, ms: the deploy has ended, whatever it answers. */
const ANSWER_MS = 1000;

const FAILED = 1;

/** What serves now; null: crank does not answer. */
const servingNow = async (session: Session): Promise<Serving | null> => {
  try {
    const client = await connect(session.address, () => {}, ANSWER_MS);
    try {
      return servingOf(await statusOf(client));
    } finally {
      client.close();
    }
  } catch {
    // The deploy is told anyway.
    return null;
  }
};

/** Connections are measured only if a worker drains. */
const statusOf = async (client: Client): Promise<Status> => {
  const status = await client.call("status", {});
  if (!status.workers.some(({ state }) => state === "stopping")) return status;
  return await measured(client, "status", {}).catch(() => status);
};

const servingOf = (status: Status): Serving => {
  const stopping = status.workers.filter(({ state }) => state === "stopping");
  const counts = stopping.map(({ usage }) => usage?.connections ?? null);
  return {
    name: status.name,
    generation: status.generation,
    ready: status.workers.filter(({ state, generation }) => state === "ready" && generation === status.generation)
      .length,
    wanted: status.instances,
    draining: counts.every((count) => count !== null) ? counts.reduce((sum, count) => sum + count, 0) : null,
  };
};

/** The service's name: that of its control socket if crank does not say it. */
const nameOf = ({ address }: Session, serving: Serving | null): string => {
  if (serving !== null && serving.name !== "") return serving.name;
  return address.kind === "unix"
    ? address.path.slice(address.path.lastIndexOf("/") + 1).replace(/\.ctl$/, "")
    : "crank";
};

/** Prints a success. `tookMs`: null if the rollout was not waited for. */
export const printSuccess = async (session: Session, result: RunResult, tookMs: number | null): Promise<number> => {
  const serving = tookMs === null ? null : await servingNow(session);
  const { generation } = result;
  if (session.json) {
    const outcome = tookMs === null ? "begun" : "deployed";
    session.out.write(
      `${safeJson({ ...result, outcome, generation, durationMs: tookMs, failure: null, serving: shownServing(serving) })}\n`,
    );
  } else {
    const name = nameOf(session, serving);
    const end =
      tookMs === null
        ? "is rolling out; crankctl status shows its progress"
        : `deployed in ${took(tookMs)}${serving === null ? "" : `: ${describeServing(serving)}`}`;
    session.out.write(`${escapeControls(`${name}: generation ${generation} ${end}`)}\n`);
  }
  if (result.warning !== undefined) session.err.write(`WARNING: ${escapeControls(result.warning)}\n`);
  return 0;
};

/** `0.02 s`: most deploys of small services take less than a tenth of a second. */
const took = (ms: number): string => (ms < 95 ? `${(ms / 1000).toFixed(2)} s` : span(ms));

const describeServing = ({ ready, wanted, draining }: Serving): string =>
  `${ready} of ${wanted} ready${draining === null || draining === 0 ? "" : `, ${draining} connection${draining === 1 ? "" : "s"} draining`}`;

const shownServing = (serving: Serving | null) => {
  if (serving === null) return null;
  const { generation, ready, wanted, draining } = serving;
  return { generation, ready, wanted, draining };
};

/** Prints a failure or a refusal; returns the exit status. `tookMs`: since the deploy was asked for; null: unknown. */
export const printFailure = async (session: Session, { rpc }: CallError, tookMs: number | null): Promise<number> => {
  const isRefused = rpc.code !== ERROR_CODES.failed;
  const serving = isRefused ? null : await servingNow(session);
  const failure = isRefused ? refusal(rpc.message) : failureText(rpc.message, rpc.data);
  if (session.json) {
    session.out.write(
      `${safeJson({
        error: rpc,
        outcome: isRefused ? "refused" : "failed",
        generation: rpc.data?.generation ?? null,
        durationMs: tookMs,
        failure,
        serving: shownServing(serving),
      })}\n`,
    );
    return FAILED;
  }
  if (isRefused) {
    session.err.write(`${escapeControls(`${session.label}: ${failure}`)}\n`);
    return FAILED;
  }
  const generation = rpc.data === undefined ? "the deploy" : `generation ${rpc.data.generation}`;
  const line = `${nameOf(session, serving)}: ${generation} failed${tookMs === null ? "" : ` after ${took(tookMs)}`}: ${failure}${keepsServing(serving)}`;
  session.err.write(`${escapeControls(line)}\n${lastLines(rpc.data)}`);
  return FAILED;
};

const IN_FLIGHT = "New process is already being started";

const refusal = (message: string): string =>
  message === IN_FLIGHT ? `${message}. Wait for its end, or give it up with crankctl run -supersede.` : message;

/** The reason without the original's words before it and what serves after it, which the line has anyway. */
const failureText = (message: string, data: FailureData | undefined): string => {
  const reason = message
    .replace(/^Failed to start: /, "")
    .replace(/^Exited with code: (\d+)/, "it exited with status $1 before it was ready")
    .replace(/; generation \d+ keeps serving$/, "");
  if (typeof data?.worker !== "number") return reason;
  return reason.startsWith("it ")
    ? `worker ${data.worker} ${reason.slice("it ".length)}`
    : `worker ${data.worker}: ${reason}`;
};

const keepsServing = (serving: Serving | null): string => {
  if (serving === null) return "";
  const { generation, ready, wanted } = serving;
  return generation === null ? "; nothing serves" : `; generation ${generation} keeps serving (${ready} of ${wanted})`;
};

/** The failing worker's last lines, marked as its own. */
const lastLines = (data: FailureData | undefined): string => {
  const tail = data !== undefined && "tail" in data.failure ? data.failure.tail.trimEnd() : "";
  if (data === undefined || tail === "") return "";
  const who = `worker ${data.worker ?? "?"}${data.pid === null ? "" : ` (pid ${data.pid})`}`;
  const lines = tail.split("\n").map((line) => `  | ${escapeLine(line)}\n`);
  return `Last lines of ${who}:\n${lines.join("")}`;
};
