// Acknowledgements: workers report readiness in a line on the control socket, as the libraries of einhorn's workers do,
// under every front end.

import { parseEinhornLine } from "../../../control/dialects/einhorn.ts";
import { parseFlatJson } from "../../../control/json.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import type { ForeignLine } from "../../state/front-end.ts";
import type { Dialect, Store } from "../../state/store.ts";
import { takeOddLine } from "../notify/misunderstood.ts";
import { takeReady } from "./serving.ts";

/**
 * Accepts only `{"command":"worker:ack","pid":123}`, or the same from einhorn's gem, a YAML document on one line. As in
 * einhorn, the connection is closed without an answer.
 */
export const acknowledgements: Dialect = {
  take: (store, line) => {
    const pid = acknowledgedPid(parseFlatJson(line.text ?? ""));
    return pid === null ? takeYaml(store, line) : take(store, line, pid);
  },
};

const take = (store: Store, line: ForeignLine, pid: number): Promise<true> | true => {
  const waiting = acknowledge(store, line, pid);
  const { connection } = line.event;
  store.batch.command({ kind: "write", connection, bytes: new Uint8Array(), close: 1 });
  return waiting ? waiting.then(() => true) : true;
};

const takeYaml = (store: Store, line: ForeignLine): Promise<true> | boolean => {
  if (line.text === null || line.text.length > LONGEST_ACK) return false;
  const pid = acknowledgedPid(parseEinhornLine(line.text));
  return pid === null ? false : take(store, line, pid);
};
/** In UTF-16 units; einhorn's has about 40. */
const LONGEST_ACK = 1024;

/**
 * Accepts an acknowledgement if the worker runs as the sender's user. Readiness by delay ignores it. A pid that no
 * worker has is reported once.
 */
export const acknowledge = (store: Store, { event, mayControl }: ForeignLine, pid: number): Promise<void> | void => {
  const worker = allWorkers(store.core.workers).find((known) => known.pid === pid);
  if (!worker) return takeOddLine(store, event);
  const spec = store.core.generations[worker.generation]?.spec;
  if (!spec || !(mayControl || event.uid === spec.user?.uid) || spec.readiness.kind === "delay") return;
  return takeReady(store, worker, { now: event.deliveredAt, at: event.happenedAt, sign: "ack", sender: null });
};

const acknowledgedPid = (message: unknown): number | null => {
  if (typeof message !== "object" || message === null || !("command" in message) || message.command !== "worker:ack")
    return null;
  const pid = "pid" in message ? Number(message.pid) : Number.NaN;
  return Number.isSafeInteger(pid) ? pid : null;
};
