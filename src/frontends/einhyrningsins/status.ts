// The answer to `status`, for people: a line for the service and one for each worker.
import { span } from "../../commands/terminal.ts";
import { EINHYRNINGSINS_VERSION } from "../../control/dialects/einhyrningsins.ts";
import type { Worker } from "../../core/model/worker.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { wantedGeneration } from "../../core/pool/pool.ts";
import type { Store } from "../../supervisor/state/store.ts";
import { VERSION } from "../../version.ts";

const STATES = { starting: "infant", ready: "healthy", stopping: "shutting down" } as const;

/** `einhyrningsins 0.2.0 (crank 0.2.0), pid 1, running`, then `2 wanted: 2 healthy, 0 infant, 0 shutting down`, then the workers. */
export const statusText = (store: Store): string => {
  const { core, facts } = store;
  const workers = allWorkers(core.workers);
  const counts = (["ready", "starting", "stopping"] as const).map(
    (kind) => `${workers.filter((worker) => worker.kind === kind).length} ${STATES[kind]}`,
  );
  const phase = core.service.phase.kind === "running" ? "running" : "shutting down";
  return [
    `einhyrningsins ${EINHYRNINGSINS_VERSION} (crank ${VERSION}), pid ${facts.pid}, ${phase}`,
    `${wantedGeneration(core)?.instances ?? 0} wanted: ${counts.join(", ")}`,
    ...workers.map((worker) => workerLine(store, worker)),
  ].join("\n");
};

const workerLine = ({ core, platform }: Store, worker: Worker): string => {
  const attempts = (core.generations[worker.generation]?.spec.retries ?? 0) + 1;
  const attempt = worker.kind === "starting" ? `, attempt ${worker.attempt} of ${attempts}` : "";
  const up = span(platform.monotonicNow() - worker.startedAt);
  return `pid ${worker.pid ?? "-"}: ${STATES[worker.kind]}, up ${up}, generation ${worker.generation}${attempt}`;
};
