// Probes. Each is a short-lived process (crank's program under the name crank-probe), which the keeper starts and which
// reports its result on its notify socket. So a hanging server blocks nothing, and no result is lost while no
// supervisor runs.
import type { Probe } from "../../../core/model/spec.ts";
import type { Generation } from "../../../core/model/state.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { allWorkers, findWorker } from "../../../core/model/workers.ts";
import { type Command, UNCHANGED } from "../../../keeper/protocol.ts";
import { type Address, AddressError, parseUri } from "../../os/addresses.ts";
import { FOREIGN_VARIABLES, helperProcess, REPORT_FD } from "../../os/helper-process.ts";
import { SOCK_STREAM } from "../../os/sockaddr.ts";
import { serviceSockets } from "../../sockets/listeners.ts";
import { processId } from "../../state/process-ids.ts";
import type { Store } from "../../state/store.ts";
import { directoryOf } from "./pins.ts";

/** The command that starts probe number `probe` of a worker. */
export const probeCommand = (
  store: Store,
  worker: Worker,
  { spec }: Generation,
  asked: Probe,
  probe: number,
): Command => {
  // Only a command runs as the worker's user: finding out which process accepted a connection may need crank's rights.
  const own = asked.check.kind === "exec";
  const env = own
    ? Object.entries(spec.env).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]))
    : [];
  const unset = own ? Object.keys(spec.env).filter((name) => spec.env[name] === null) : [];
  return helperProcess({
    worker: processId("probe", probe),
    file: `${store.facts.home}/bin/crank`,
    args: ["crank-probe", String(asked.timeoutMs), ...question(store, worker, asked)],
    cwd: own ? directoryOf(store, spec) : "/",
    env: [...env, ...identityOf(store, worker)],
    unset: [...FOREIGN_VARIABLES, ...unset],
    notifyFd: REPORT_FD,
    identity: own && spec.user ? [spec.user.uid, spec.user.gid, ...spec.user.groups] : [],
    umask: (own ? spec.umask : null) ?? UNCHANGED,
  });
};

const identityOf = (store: Store, worker: Worker): (readonly [string, string])[] => [
  ["CRANK_WORKER_PID", String(worker.pid ?? 0)],
  ["CRANK_WORKER", String(worker.id)],
  ["CRANK_GENERATION", String(worker.generation)],
  ["CRANK_NAME", store.settings?.name ?? ""],
];

/** The arguments after the time limit on a probe's command line (keeper/helpers/probe.h). */
const question = (store: Store, worker: Worker, { check, address }: Probe): readonly string[] => {
  if (check.kind === "exec") return ["exec", ...check.command];
  // An address of its own is only the worker's. On a shared socket the probe has to verify which process accepted.
  const owner = address === null ? (worker.pid ?? 0) : 0;
  const where = address === null ? sharedAddress(store) : fillIn(address, worker);
  const path = check.kind === "http" ? [check.path] : [];
  return [check.kind, ...targetOf(where), String(owner), ...path];
};

/** The first stream socket of the service. Without one, the probe fails and says so. */
const sharedAddress = (store: Store): string =>
  serviceSockets(store).find((socket) => socket.type === SOCK_STREAM)?.address ?? "unix:///";

const fillIn = (template: string, { pid, id, index, generation }: Worker): string =>
  template
    .replaceAll("{pid}", String(pid ?? 0))
    .replaceAll("{worker}", String(id))
    .replaceAll("{index}", String(index))
    .replaceAll("{generation}", String(generation));

/** FAMILY HOST PORT. A wildcard address is probed on the loopback. */
const targetOf = (uri: string): readonly [string, string, string] => {
  const { address } = parseUri(uri);
  if (address.kind === "unix") return ["unix", address.path, "0"];
  if (address.kind !== "internet") return ["unix", "", "0"];
  const port = String(address.port);
  const host = address.host === "localhost" ? "" : address.host;
  if (host === "" || host === "::") return address.family === "6" ? ["6", "::1", port] : ["4", "127.0.0.1", port];
  if (host === "0.0.0.0") return ["4", "127.0.0.1", port];
  return [host.includes(":") ? "6" : "4", host, port];
};

/** What is wrong with a template for -probe-addr; null: nothing. */
export const probeAddressProblem = (template: string): string | null => {
  const unknown = /\{(?!(?:pid|worker|index|generation)\})[^}]*\}?/.exec(template);
  if (unknown) return `unknown placeholder ${unknown[0]}; use {pid}, {worker}, {index} and {generation}`;
  try {
    // With the longest numbers that may occur.
    const { address } = parseUri(fillIn(template, SAMPLE));
    return isLiteral(address) ? null : "give an IP address and a port, or the path of a unix socket";
  } catch (error) {
    if (error instanceof AddressError) return error.message;
    throw error;
  }
};

const SAMPLE: Worker = {
  id: 1,
  generation: 1,
  index: 1,
  attempt: 1,
  pid: 1,
  startTime: 0,
  startedAt: 0,
  kind: "starting",
  readyBy: null,
  probing: null,
};

const isLiteral = (address: Address): boolean => {
  if (address.kind === "unix") return address.type === "stream";
  if (address.kind !== "internet" || address.transport !== "tcp") return false;
  return /^(|localhost|[\d.]+|[\da-f:.]*:[\da-f:.]*)$/i.test(address.host);
};

/** The worker that a probe is for, while the probe is still needed. */
export const probedBy = ({ core: { workers }, probed }: Store, probe: number): Worker | undefined => {
  const known = findWorker(workers, probed.get(probe) ?? 0);
  if (known && isProbedBy(known, probe)) return known;
  return probed.has(probe) ? undefined : allWorkers(workers).find((worker) => isProbedBy(worker, probe));
};

const isProbedBy = (worker: Worker, probe: number): boolean =>
  worker.kind !== "stopping" && worker.probing?.probe === probe;
