// Acknowledgements: workers report readiness in a line on the control socket, as the libraries of einhorn's workers do,
// under every front end.

import { parseEinhornLine } from "../../../control/dialects/einhorn.ts";
import { parseFlatJson } from "../../../control/json.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import type { ForeignLine } from "../../state/front-end.ts";
import type { Dialect, Memory } from "../../state/store.ts";
import { takeOddLine } from "../notify/misunderstood.ts";
import { takeReady } from "./serving.ts";

/**
 * Accepts only `{"command":"worker:ack","pid":123}`, or the same from einhorn's gem, a YAML document on one line. As in
 * einhorn, the connection is closed without an answer.
 */
export const acknowledgements: Dialect = {
  take: (memory, line) => {
    const pid = acknowledgedPid(parseFlatJson(line.text ?? ""));
    return pid === null ? takeYaml(memory, line) : take(memory, line, pid);
  },
};

const take = (memory: Memory, line: ForeignLine, pid: number): Promise<true> | true => {
  const waiting = acknowledge(memory, line, pid);
  const { connection } = line.event;
  memory.batch.command({ kind: "write", connection, bytes: new Uint8Array(), close: 1 });
  return waiting ? waiting.then(() => true) : true;
};

const takeYaml = (memory: Memory, line: ForeignLine): Promise<true> | boolean => {
  if (line.text === null || line.text.length > LONGEST_ACK) return false;
  const pid = acknowledgedPid(parseEinhornLine(line.text));
  return pid === null ? false : take(memory, line, pid);
};
/** In UTF-16 units; einhorn's has about 40. */
const LONGEST_ACK = 1024;

/**
 * Accepts an acknowledgement if the worker runs as the sender's user. Readiness by delay ignores it. A pid that no
 * worker has is reported once.
 */
export const acknowledge = (memory: Memory, { event, mayControl }: ForeignLine, pid: number): Promise<void> | void => {
  const worker = allWorkers(memory.core.workers).find((known) => known.pid === pid);
  if (!worker) return takeOddLine(memory, event);
  const spec = memory.core.generations[worker.generation]?.spec;
  if (!spec || !(mayControl || event.uid === spec.user?.uid) || spec.readiness.kind === "delay") return;
  return takeReady(memory, worker, { now: event.deliveredAt, at: event.happenedAt, sign: "ack", sender: null });
};

const acknowledgedPid = (said: unknown): number | null => {
  if (typeof said !== "object" || said === null || !("command" in said) || said.command !== "worker:ack") return null;
  const pid = "pid" in said ? Number(said.pid) : Number.NaN;
  return Number.isSafeInteger(pid) ? pid : null;
};
