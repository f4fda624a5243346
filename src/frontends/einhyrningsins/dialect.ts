// Carries out and answers the requests of einhyrningsins' line protocol.
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
import type { Dialect, Store } from "../../supervisor/state/store.ts";
import { acknowledge } from "../../supervisor/workers/serving/acknowledgement.ts";
import { statusText } from "./status.ts";

/** Takes every line that is not JSON-RPC, and answers invalid ones itself. */
export const einhyrningsinsDialect: Dialect = {
  take: (store, line) => {
    const request = parseRequest(line.text);
    if (request.kind === "nothing") return true;
    const isAllowed = line.mayControl || request.kind === "acknowledge";
    const waiting = request.kind === "acknowledge" ? acknowledge(store, line, request.pid) : null;
    const answer = isAllowed ? fulfil(store, line, request) : encodeAnswer("This master belongs to another user");
    sendLine(store, line.event.connection, answer);
    return waiting ? waiting.then(() => true) : true;
  },
};

const fulfil = (store: Store, line: ForeignLine, request: Exclude<Request, { kind: "nothing" }>): string =>
  request.kind === "ehlo" ? EHLO_ANSWER : encodeAnswer(sentenceFor(store, line, request));

const sentenceFor = (
  store: Store,
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
      return statusText(store);
    case "inc":
      return increment(store, now);
    case "dec":
      return decrement(store, now);
    case "upgrade":
      if (isShuttingDown(store)) return describeRefusal({ kind: "shuttingDown" });
      reload(store, { name: "upgrade", now });
      return "Upgrading all children!";
    case "die":
      shutDown(store, { name: "die", now });
      return "Sent shutdown to all children!";
    case "signal":
      forward(store, { name: request.signal });
      return "Signalled all children!";
    case "acknowledge":
      return "Acknowledged!";
    case "mistaken":
      return request.answer;
  }
};

const isShuttingDown = ({ core }: Store): boolean => core.service.phase.kind === "stopping";

/** The target number of workers. */
const wantedNumber = ({ core }: Store): number => wantedGeneration(core)?.instances ?? 0;

const scaleBy = (store: Store, now: number, by: number): { readonly from: number; readonly to: number } => {
  const from = wantedNumber(store);
  advance(store, { kind: "scale", now, request: null, change: { by }, inRollout: "apply" });
  return { from, to: wantedNumber(store) };
};

const increment = (store: Store, now: number): string => {
  if (isShuttingDown(store)) return describeRefusal({ kind: "shuttingDown" });
  const { from, to } = scaleBy(store, now, 1);
  if (to === from) return describeRefusal({ kind: "outOfRange", instances: from + 1 });
  return `Spawned! Went from ${from} to ${to}`;
};

const decrement = (store: Store, now: number): string => {
  const isAnybodyThere = allWorkers(store.core.workers).some((worker) => worker.kind !== "stopping");
  if (!isShuttingDown(store) && wantedNumber(store) === 0) return "Already at count=0, no-op";
  if (!isAnybodyThere) return "No live workers to shutdown! :(";
  const { from, to } = scaleBy(store, now, -1);
  return `Notified! Went from ${from} to ${to}`;
};
