// What einhyrningsins' line protocol asks for, done and answered.
import {
  EHLO_ANSWER,
  EINHYRNINGSINS_VERSION,
  encodeAnswer,
  helpText,
  parseRequest,
  type Request,
} from "../../control/dialects/einhyrningsins.ts";
import { describeRefusal } from "../../core/describe.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { wantedGeneration } from "../../core/pool/pool.ts";
import { sendLine } from "../../supervisor/control/replies.ts";
import { forward, reload, shutDown } from "../../supervisor/loop/actions.ts";
import { advance } from "../../supervisor/loop/apply-effects.ts";
import type { ForeignLine } from "../../supervisor/state/front-end.ts";
import type { Dialect, Memory } from "../../supervisor/state/store.ts";
import { acknowledge } from "../../supervisor/workers/serving/acknowledgement.ts";
import { statusText } from "./status.ts";

/** Every line that is no JSON-RPC is meant for it: what it cannot read it says so itself. */
export const einhyrningsinsDialect: Dialect = {
  take: (memory, line) => {
    const request = parseRequest(line.text);
    if (request.kind === "nothing") return true;
    const isAllowed = line.mayControl || request.kind === "acknowledge";
    const waiting = request.kind === "acknowledge" ? acknowledge(memory, line, request.pid) : null;
    const answer = isAllowed ? fulfil(memory, line, request) : encodeAnswer("This master belongs to another user");
    sendLine(memory, line.event.connection, answer);
    return waiting ? waiting.then(() => true) : true;
  },
};

const fulfil = (memory: Memory, line: ForeignLine, request: Exclude<Request, { kind: "nothing" }>): string =>
  request.kind === "ehlo" ? EHLO_ANSWER : encodeAnswer(sentenceFor(memory, line, request));

const sentenceFor = (
  memory: Memory,
  line: ForeignLine,
  request: Exclude<Request, { kind: "nothing" | "ehlo" }>,
): string => {
  const now = line.event.deliveredAt;
  switch (request.kind) {
    case "help":
      return helpText();
    case "version":
      return `einhyrningsinsctl ${EINHYRNINGSINS_VERSION}`;
    case "status":
      return statusText(memory);
    case "inc":
      return increment(memory, now);
    case "dec":
      return decrement(memory, now);
    case "upgrade":
      if (isShuttingDown(memory)) return describeRefusal({ kind: "shuttingDown" });
      reload(memory, { name: "upgrade", now });
      return "Upgrading all children!";
    case "die":
      shutDown(memory, { name: "die", now });
      return "Sent shutdown to all children!";
    case "signal":
      forward(memory, { name: request.signal });
      return "Signalled all children!";
    case "acknowledge":
      return "Acknowledged!";
    case "mistaken":
      return request.answer;
  }
};

const isShuttingDown = ({ core }: Memory): boolean => core.service.phase.kind === "stopping";

/** How many workers there should be. */
const wantedNumber = ({ core }: Memory): number => wantedGeneration(core)?.instances ?? 0;

const scaleBy = (memory: Memory, now: number, by: number): { readonly from: number; readonly to: number } => {
  const from = wantedNumber(memory);
  advance(memory, { kind: "scale", now, request: null, change: { by }, inRollout: "apply" });
  return { from, to: wantedNumber(memory) };
};

const increment = (memory: Memory, now: number): string => {
  if (isShuttingDown(memory)) return describeRefusal({ kind: "shuttingDown" });
  const { from, to } = scaleBy(memory, now, 1);
  if (to === from) return describeRefusal({ kind: "outOfRange", instances: from + 1 });
  return `Spawned! Went from ${from} to ${to}`;
};

const decrement = (memory: Memory, now: number): string => {
  const isAnybodyThere = allWorkers(memory.core.workers).some((worker) => worker.kind !== "stopping");
  if (!isShuttingDown(memory) && wantedNumber(memory) === 0) return "Already at count=0, no-op";
  if (!isAnybodyThere) return "No live workers to shutdown! :(";
  const { from, to } = scaleBy(memory, now, -1);
  return `Notified! Went from ${from} to ${to}`;
};
