// Starting workers, however many one event wants. Starts that do not fit into its batch follow in later ones. They are
// journalled until then, so that the next supervisor continues if this one is killed in between.

import type { Spec } from "../../../core/model/spec.ts";
import type { Generation } from "../../../core/model/state.ts";
import { countProcesses, findWorker } from "../../../core/model/workers.ts";
import { probeFor } from "../../../core/worker/probing.ts";
import { log } from "../../events/log.ts";
import { admitFor } from "../../sockets/admission.ts";
import { closedTo } from "../../sockets/notify-path.ts";
import type { StoredDescriptor } from "../../state/parts/stored-descriptors.ts";
import { kindOf, numberOf, processId } from "../../state/process-ids.ts";
import { saveUnstarted } from "../../state/save.ts";
import type { Store } from "../../state/store.ts";
import { spawnCommand } from "./launch.ts";
import { probeCommand, probedBy } from "./probes.ts";
import { lendStored } from "./stored-descriptors.ts";

/** The size of a start beside its spec: sockets, crank's own variables, paths. */
const PLAIN_BYTES = 8 * 1024;

/** Starts a worker with the event's own batch or, if that is full, with a later one. */
export const startWorker = (store: Store, worker: number): void => {
  const generation = store.core.generations[findWorker(store.core.workers, worker)?.generation ?? 0];
  if (!generation) return;
  admitFor(store, generation.spec);
  sayWhatIsClosed(store, generation);
  startOrPostpone(store, worker);
};

/** Once per generation. */
const sayWhatIsClosed = (store: Store, { number, spec }: Generation): void => {
  if (spec.user === null || !store.settings) return;
  const isFirst = countProcesses(store.core.workers, number) === 1;
  const closed = isFirst ? closedTo(store.platform, store.settings, spec) : null;
  if (closed !== null) log(store, "warning", closed);
};

/** Starts a probe of a worker in the same way. */
export const startProbe = (store: Store, probe: number): void => startOrPostpone(store, processId("probe", probe));

/** Puts as many postponed starts as fit into the next batch. Returns whether there were any. */
export const startPostponed = (store: Store): boolean => {
  const { unstarted } = store;
  if (unstarted.length === 0) return false;
  let count = 0;
  while (count < unstarted.length && putStart(store, unstarted[count] ?? 0)) count += 1;
  saveUnstarted(store, unstarted.slice(count));
  return true;
};

const startOrPostpone = (store: Store, process: number): void => {
  const { unstarted } = store;
  if (unstarted.length > 0 || !putStart(store, process)) saveUnstarted(store, [...unstarted, process]);
};

/** False: there is no room in the batch. A start that is not wanted any more needs none. */
const putStart = (store: Store, process: number): boolean => {
  const { settings, core, batch } = store;
  const probe = kindOf(process) === "probe" ? numberOf(process) : null;
  const worker = probe === null ? findWorker(core.workers, process) : probedBy(store, probe);
  const generation = worker && core.generations[worker.generation];
  if (!settings || !worker || !generation) return true;
  const bytes = PLAIN_BYTES + mostBytes(generation.spec);
  if (!batch.hasRoomToStart(bytes)) return false;
  const asked = probeFor(generation.spec, worker);
  if (probe === null) {
    const stored = lendStored(store, worker.id);
    batch.start(spawnCommand(store, settings, { worker, generation, stored }), bytes + namesBytes(stored));
  }
  if (probe !== null && asked) batch.start(probeCommand(store, worker, generation, asked, probe), bytes);
  return true;
};

const namesBytes = (stored: readonly StoredDescriptor[]): number =>
  stored.reduce((bytes, { name }) => bytes + name.length + 1, 0);

/** UTF-8 has at most three bytes per UTF-16 unit. An estimate, because counting takes too long. */
const mostBytes = ({ command, env, cwd, resolved, readiness, liveness }: Spec): number => {
  const checks = [readiness, liveness].flatMap((asked) =>
    asked?.kind === "probe" && asked.check.kind === "exec" ? asked.check.command : [],
  );
  let units = cwd.length + (resolved ? resolved.cwd.length + resolved.file.length : 0);
  for (const argument of [...command, ...checks]) units += argument.length;
  for (const [name, value] of Object.entries(env)) units += name.length + (value?.length ?? 0);
  return 3 * units;
};
