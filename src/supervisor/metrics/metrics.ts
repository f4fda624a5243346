// The metrics for Prometheus, in its text format (prometheus.io, "Exposition formats") and by its conventions: base
// units, `_total` for counters. Reads the store and changes nothing.

import { isAvailable } from "../../core/model/standing.ts";
import type { Worker, WorkerState } from "../../core/model/worker.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { statusLine } from "../../core/service-status.ts";
import { VERSION } from "../../version.ts";
import { AF_UNIX } from "../os/sockaddr.ts";
import { serviceSockets } from "../sockets/listeners.ts";
import { nameProblem } from "../sockets/names.ts";
import type { Store } from "../state/store.ts";

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number | null | undefined];
type Family = {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  /** Unknown values have no sample. */
  readonly samples: readonly Sample[];
};

const STATES: readonly WorkerState[] = ["starting", "ready", "stopping"];

/** Whether the service serves, and a sentence about it for people. */
export const health = ({ core }: Store): { readonly isHealthy: boolean; readonly sentence: string } => {
  const serves = allWorkers(core.workers).some((worker) => worker.kind === "ready");
  return { isHealthy: serves && core.service.phase.kind === "running", sentence: statusLine(core, null) };
};

/** All metrics, as last measured. */
export const metricsText = (store: Store): string =>
  [...ofCrank(store), ...ofWorkers(store), ...ofEachWorker(store), ...ofSockets(store)].map(familyText).join("");

const ofCrank = ({ core, boot, facts, counters, settings, platform }: Store): readonly Family[] => [
  gauge("crank_build_info", "The running versions; always 1.", [
    [{ service: settings?.name ?? "", version: VERSION, keeper: facts.version, runtime: platform.runtime }, 1],
  ]),
  gauge("crank_start_time_seconds", "When crank was started, in seconds since 1970.", [
    [{}, (facts.startedAt + facts.realtimeOffset) / 1000],
  ]),
  counter("crank_supervisor_deaths_total", "Supervisors that died.", [[{}, counters.supervisorDeaths]]),
  gauge("crank_journal_on_disk", "0 while the journal cannot be written and is kept in memory.", [
    [{}, boot.journal === "memory" ? 0 : 1],
  ]),
  gauge("crank_record_on_disk", "0 while the record cannot be written and is out of date.", [
    [{}, core.service.unrecorded ? 0 : 1],
  ]),
  counter("crank_upgrades_total", "Upgrades of crank in place.", [[{}, counters.upgrades]]),
  gauge("crank_generation", "The current generation; 0 before the first.", [[{}, core.service.current ?? 0]]),
  gauge("crank_rollout_in_progress", "1 while a generation is being replaced.", [
    [{}, core.service.rollout === null ? 0 : 1],
  ]),
  counter("crank_rollouts_total", "Rollouts that have ended, by their outcome.", [
    [{ outcome: "complete" }, counters.rolloutsComplete],
    [{ outcome: "rolled_back" }, counters.rolloutsRolledBack],
  ]),
];

const ofWorkers = ({ core, counters, measurements }: Store): readonly Family[] => {
  const { service, generations, workers } = core;
  const all = allWorkers(workers);
  const wanted = generations[service.current ?? service.rollout?.generation ?? 0]?.instances ?? 0;
  const measured = measurements.last?.scope === "everything";
  const connectionsOf = (state: WorkerState): number | null =>
    measured ? sum(all.filter(isIn(state)).map(({ id }) => measurements.worker(id)?.connections ?? 0)) : null;
  return [
    gauge(
      "crank_workers",
      "Workers, by their state.",
      STATES.map((state) => [{ state }, all.filter(isIn(state)).length]),
    ),
    gauge("crank_workers_wanted", "Target number of workers.", [[{}, wanted]]),
    gauge("crank_workers_available", "Available workers: ready for at least -min-ready.", [
      [{}, all.filter(isAvailable).length],
    ]),
    counter("crank_worker_starts_total", "Workers that were started.", [[{}, counters.starts]]),
    counter("crank_worker_restarts_total", "Workers that were started to replace a lost one.", [
      [{}, service.restarts],
    ]),
    counter("crank_worker_exits_total", "Workers that exited: with or without a stop signal of crank.", [
      [{ asked: "yes" }, counters.exitsAsked],
      [{ asked: "no" }, counters.exitsUnasked],
    ]),
    gauge(
      "crank_connections",
      "Connections that workers have accepted and not closed, by the state of the worker.",
      STATES.map((state) => [{ state }, connectionsOf(state)]),
    ),
  ];
};

const isIn =
  (state: WorkerState) =>
  ({ kind }: Worker): boolean =>
    kind === state;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const ofEachWorker = ({ core, facts, measurements }: Store): readonly Family[] => {
  const each = allWorkers(core.workers).map((worker) => ({
    worker,
    labels: { worker: worker.id, generation: worker.generation },
    usage: measurements.worker(worker.id),
  }));
  return [
    gauge(
      "crank_worker_info",
      "Each worker with its pid and state; always 1.",
      each.map(({ worker, labels }) => [{ ...labels, pid: worker.pid ?? 0, state: worker.kind }, 1]),
    ),
    gauge(
      "crank_worker_start_time_seconds",
      "When the worker was started, in seconds since 1970.",
      each.map(({ worker, labels }) => [labels, (worker.startedAt + facts.realtimeOffset) / 1000]),
    ),
    gauge(
      "crank_worker_memory_bytes",
      "Memory of the worker's process tree: its proportional set size, or the resident set size if that may not be read.",
      each.map(({ labels, usage }) => [labels, usage?.memory]),
    ),
    counter(
      "crank_worker_cpu_seconds_total",
      "Processor time of the worker's process tree, user and system.",
      each.map(({ labels, usage }) => [labels, usage && usage.cpuMs / 1000]),
    ),
    gauge(
      "crank_worker_processes",
      "Processes of the worker's tree.",
      each.map(({ labels, usage }) => [labels, usage?.processes]),
    ),
    gauge(
      "crank_worker_connections",
      "Connections that the worker has accepted and not closed.",
      each.map(({ labels, usage }) => [labels, usage?.connections]),
    ),
  ];
};

const ofSockets = (store: Store): readonly Family[] => {
  const { measurements, settings } = store;
  const each = serviceSockets(store).map(({ handle, bind, address }) => ({
    labels: { socket: settings?.binds[bind ?? 0]?.name ?? "", address },
    usage: measurements.socket(handle),
  }));
  const { counters } = measurements;
  return [
    gauge(
      "crank_socket_connections",
      "Connections of this socket that workers have accepted and not closed.",
      each.map(({ labels, usage }) => [labels, usage?.connections]),
    ),
    gauge(
      "crank_socket_accept_queue_length",
      "Connections that wait to be accepted.",
      each.map(({ labels, usage }) => [labels, usage?.queue]),
    ),
    gauge(
      "crank_socket_accept_queue_limit",
      "Limit of the connections that wait to be accepted.",
      each.map(({ labels, usage }) => [labels, usage?.limit]),
    ),
    counter(
      "crank_socket_drops_total",
      "Connections or datagrams that the kernel dropped at this socket, mostly because its accept queue was full.",
      each.map(({ labels, usage }) => [labels, usage?.drops]),
    ),
    gauge(
      "crank_socket_reachable",
      "1 if the path of the unix socket leads to it, 0 if another file has the path.",
      unixSockets(store).map(({ handle, labels }) => [labels, nameProblem(store, handle) === null ? 1 : 0]),
    ),
    counter(
      "crank_socket_files_lost_total",
      "How often the file of a unix socket (including the control socket) was removed or replaced.",
      [[{}, store.counters.namesLost]],
    ),
    counter(
      "crank_network_listen_overflows_total",
      "Connections that found an accept queue full, of all TCP sockets of this network namespace.",
      [[{}, counters?.overflows]],
    ),
    counter(
      "crank_network_listen_drops_total",
      "Incoming connections that were dropped, of all TCP sockets of this network namespace.",
      [[{}, counters?.drops]],
    ),
  ];
};

const unixSockets = (store: Store): readonly { readonly handle: number; readonly labels: Labels }[] =>
  serviceSockets(store)
    .filter(({ domain }) => domain === AF_UNIX)
    .map(({ handle, bind, address }) => ({
      handle,
      labels: { socket: store.settings?.binds[bind ?? 0]?.name ?? "", address },
    }));

const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({
  name,
  type: "gauge",
  help,
  samples,
});
const counter = (name: string, help: string, samples: readonly Sample[]): Family => ({
  name,
  type: "counter",
  help,
  samples,
});

const familyText = ({ name, type, help, samples }: Family): string => {
  const lines = samples.flatMap(([labels, value]) =>
    value === null || value === undefined ? [] : [`${name}${labelsText(labels)} ${value}\n`],
  );
  return lines.length === 0 ? "" : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
};

const labelsText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };
const escaped = (text: string): string => text.replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? character);
