// Measures the workers on demand. A short-lived process (crank's program under the name crank-measure), which the
// keeper starts as it starts probes, reports what they use and which connections they hold. So nothing else waits for a
// measurement, however many workers and connections there are.

import { allWorkers } from "../../core/model/workers.ts";
import { hexOf } from "../../host/bytes.ts";
import type { Command, KeeperEvent } from "../../keeper/protocol.ts";
import { parseUri } from "../os/addresses.ts";
import { helperProcess, REPORT_FD } from "../os/helper-process.ts";
import { AF_INET6, internetAddress, SOCK_DGRAM, unixAddress } from "../os/sockaddr.ts";
import { serviceSockets } from "../sockets/listeners.ts";
import type { Measurement, Scope } from "../state/parts/measurements.ts";
import { processId } from "../state/process-ids.ts";
import type { OpenSocket, Store } from "../state/store.ts";

const FIRST_SOCKET_FD = 4;

/** What is not known by then stays unknown. */
const TIME_LIMIT_MS = 5000;
/**
 * From the beginning of one measurement to the next: at least this long, and this many times the last one's duration.
 */
const PAUSE_MS = 1000;
const PAUSE_TIMES = 10;

/** Whether the last measurement is too recent to begin another. */
export const isMeasured = ({ measurements }: Store, now: number): boolean => {
  const { last } = measurements;
  return last !== null && last.scope === "everything" && now < nextAt(last);
};

const nextAt = ({ begunAt, endedAt }: Measurement): number =>
  begunAt + Math.max(PAUSE_MS, PAUSE_TIMES * ((endedAt ?? begunAt) - begunAt));

/** Begins a measurement unless one is running. `measured` (measurement-end.ts) is called when it is complete. */
export const beginMeasurement = (store: Store, now: number, scope: Scope): void => {
  if (store.measurements.current !== null) return;
  const sockets = scope === "everything" ? countedSockets(store) : [];
  const handles = sockets.map(({ handle }) => handle);
  const number = store.measurements.begin(store.batch, { scope, begunAt: now, handles });
  store.batch.command(measureCommand(store, number, sockets));
};

/** Sockets that crank has closed itself count too: their connections are still being served. */
const countedSockets = (store: Store): readonly OpenSocket[] => [...serviceSockets(store), ...store.closed];

const measureCommand = (store: Store, number: number, sockets: readonly OpenSocket[]): Command => {
  const open = sockets.filter(({ handle }) => store.sockets.has(handle));
  const fds = new Map(open.map(({ handle }, index) => [handle, FIRST_SOCKET_FD + index]));
  const workers = allWorkers(store.core.workers).filter(({ pid }) => pid !== null);
  return helperProcess({
    worker: processId("measurement", number),
    file: `${store.facts.home}/bin/crank`,
    args: [
      "crank-measure",
      String(TIME_LIMIT_MS),
      String(sockets.length),
      ...sockets.map((socket) => `${fds.get(socket.handle) ?? "-"}:${addressOf(socket)}`),
      ...workers.map(({ id, pid, startTime }) => `${id}:${pid}:${startTime}`),
    ],
    descriptors: [...fds].flat(),
    notifyFd: REPORT_FD,
  });
};

/** The socket's address in hexadecimal; "" for a socket without connections. */
const addressOf = ({ type, domain, address: uri }: OpenSocket): string => {
  const { address } = parseUri(uri);
  if (type === SOCK_DGRAM) return "";
  if (address.kind === "unix") return hexOf(unixAddress(address.path));
  if (address.kind !== "internet") return "";
  const all = domain === AF_INET6 ? "::" : "0.0.0.0";
  return hexOf(internetAddress(address.host === "" ? all : address.host, address.port).bytes);
};

/** Takes a part of a measurement's report. Returns its scope when the report is complete, null before. */
export const takeMeasured = (
  store: Store,
  number: number,
  event: Extract<KeeperEvent, { kind: "datagram" }>,
): Scope | null => {
  const { current } = store.measurements;
  if (current?.number !== number) return null;
  return store.measurements.take(store.batch, event.bytes, event.happenedAt) ? current.scope : null;
};
