// Workers that say that they are ready in a line on the control socket, as the libraries of einhorn's workers do: under
// every front end.
import { parseFlatJson } from "../control/json.ts";
import type { Dialect, ForeignLine } from "./front-end.ts";
import type { Memory } from "./memory.ts";
import { takeReady } from "./serving.ts";

/** Only acknowledgements: `{"command":"worker:ack","pid":123}`. As einhorn does it, the connection is closed without an answer. */
export const acknowledgements: Dialect = {
  take: (memory, line) => {
    const pid = acknowledgedPid(line.text);
    if (pid === null) return false;
    const waiting = acknowledge(memory, line, pid);
    memory.outbox.command({
      kind: "write",
      connection: line.event.connection,
      bytes: new Uint8Array(),
      close: 1,
    });
    return waiting ? waiting.then(() => true) : true;
  },
};

/**
 * Takes a worker's word that it is ready, unless no worker has this pid, or it runs as another user than the sender. One that proves itself by being alive for a while does so whatever it says.
 */
export const acknowledge = (memory: Memory, { event, mayControl }: ForeignLine, pid: number): Promise<void> | void => {
  const worker = Object.values(memory.core.workers).find((known) => known.pid === pid);
  const spec = worker && memory.core.generations[worker.generation]?.spec;
  if (!spec || !(mayControl || event.uid === spec.user?.uid) || spec.readiness.kind === "delay") return;
  return takeReady(memory, worker, { now: event.deliveredAt, at: event.happenedAt, sign: "ack", sender: null });
};

const acknowledgedPid = (text: string | null): number | null => {
  const said = parseFlatJson(text ?? "");
  if (typeof said !== "object" || said === null || !("command" in said) || said.command !== "worker:ack") return null;
  const pid = "pid" in said ? Number(said.pid) : Number.NaN;
  return Number.isSafeInteger(pid) ? pid : null;
};
