// The answer to `state`: the master's whole state as the original's clients read it, with Ruby's symbols, sets and times.
import { RubySet, RubySymbol, RubyTime, type YamlMapping, yamlDocument } from "../../control/dialects/einhorn-yaml.ts";
import type { Worker } from "../../core/model/worker.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { wantedGeneration } from "../../core/pool/pool.ts";
import { serviceSockets } from "../../supervisor/sockets/listeners.ts";
import type { Settings } from "../../supervisor/state/settings.ts";
import type { Store } from "../../supervisor/state/store.ts";
import { einhornState } from "./einhorn-state.ts";
import { VERBOSITIES } from "./invocation.ts";

const FIRST_FD = 3;

/** A YAML document with the one key `:state:`. */
export const stateText = (store: Store): string => yamlDocument({ ":state": stateOf(store) });

const stateOf = (store: Store): YamlMapping => {
  const { core, settings, counters } = store;
  const wanted = wantedGeneration(core);
  const command = wanted?.spec.command ?? settings?.first?.command ?? [];
  return {
    ":children": childrenOf(store),
    ":config": {
      ":number": wanted?.instances ?? 0,
      ":backlog": settings?.binds[0]?.options.backlog ?? 100,
      ":seconds": (settings?.respawnMs ?? 0) / 1000,
    },
    ":bind": (settings?.binds ?? []).map(bindOf),
    ":bind_fds": (settings?.binds ?? []).map((_, index) => FIRST_FD + index),
    ":bound_ports": boundPorts(store),
    ":cmd": [...command],
    ":orig_cmd": [...(settings?.extras?.words ?? command)],
    ":cmd_name": settings?.name === "" ? null : (settings?.name ?? null),
    ":version": wanted?.number ?? 0,
    ":generation": counters.upgrades,
    ":ack_mode": ackMode(settings),
    ":respawn": core.service.phase.kind === "running",
    ":upgrading": store.upgrade !== null || (core.service.rollout !== null && core.service.current !== null),
    ":verbosity": VERBOSITIES.indexOf(settings?.verbosity ?? "normal"),
    ":signal_timeout": seconds(settings?.defaults.stopTimeoutMs ?? null),
    ":max_unacked": settings?.manner.pace?.maxUnready ?? null,
    ":consecutive_deaths_before_ack": core.service.deaths,
    ":drop_environment_variables": [...(settings?.extras?.dropOnUpgrade ?? [])],
    ":command_socket_as_fd": settings?.extras?.commandSocket === "descriptor",
    ":reexec_commandline": settings?.extras?.reexec ? [...settings.extras.reexec.command] : null,
    ":nice": niceOf(settings),
    ":kill_children_on_exit": settings?.extras?.deathSignal != null,
    ":socket_path": settings?.control?.address.kind === "unix" ? settings.control.address.path : null,
    ":pidfile": settings?.extras?.pidPath ?? null,
    ":lockfile": settings?.extras?.lockPath ?? null,
  };
};

const niceOf = (settings: Settings | null): YamlMapping => {
  const { master = null, worker = null, command = null } = settings?.extras?.nice ?? {};
  return { ":master": master, ":worker": worker, ":renice_cmd": command };
};

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

const ackMode = (settings: Settings | null): YamlMapping => {
  const readiness = settings?.defaults.readiness;
  return readiness?.kind === "delay"
    ? { ":type": new RubySymbol("timer"), ":timeout": readiness.afterMs / 1000 }
    : { ":type": new RubySymbol("manual") };
};

const bindOf = ({ uri }: Settings["binds"][number]): readonly (string | number | readonly string[])[] => {
  const [location = "", ...flags] = uri.replace(/^-b /, "").split(",");
  const colon = location.lastIndexOf(":");
  return [location.slice(0, colon), Number(location.slice(colon + 1)), flags];
};

const boundPorts = (store: Store): readonly number[] =>
  serviceSockets(store).flatMap(({ address }) => {
    const port = Number(/:(\d+)$/.exec(address)?.[1] ?? Number.NaN);
    return Number.isNaN(port) ? [] : [port];
  });

const childrenOf = (store: Store): YamlMapping => {
  const children: Record<string, YamlMapping> = {};
  for (const worker of allWorkers(store.core.workers)) {
    if (worker.pid !== null) children[worker.pid] = childOf(store, worker);
  }
  return children;
};

const childOf = (store: Store, worker: Worker): YamlMapping => {
  const { pings, signals } = einhornState(store);
  const [ping, signalled] = [pings[worker.id], signals[worker.id]];
  return {
    ":type": new RubySymbol("worker"),
    ":version": worker.generation,
    ":acked": worker.kind === "ready" || (worker.kind === "stopping" && worker.wasReady),
    ":signaled": new RubySet((signalled?.names ?? []).map((name) => name.replace(/^SIG/, ""))),
    ...(signalled ? { ":last_signaled_at": new RubyTime(signalled.at) } : {}),
    ":index": worker.index,
    ":spinup_time": new RubyTime(worker.startedAt + store.facts.realtimeOffset),
    ...(ping ? { ":pinged_at": new RubyTime(ping.at), ":pinged_request_id": ping.requestId } : {}),
  };
};
