// The end of crank's own start: everything is open, and it begins to serve, with adopted workers or the first deploy.

import { takeOver } from "../adoption/adoption.ts";
import { deployForNobody, redeploy } from "../control/requests.ts";
import { log } from "../events/log.ts";
import { serviceSockets } from "../sockets/listeners.ts";
import { lookAtNames } from "../sockets/names.ts";
import { runPath } from "../sockets/run-directory.ts";
import { CONTROL_HANDLE, METRICS_HANDLE } from "../state/handles.ts";
import type { Extras, Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { warnOfKernelLimits } from "./kernel-limits.ts";
import { giveUp, nextStage } from "./stages.ts";

export const acceptClients = ({ batch }: Store, { control, metrics }: Settings): void => {
  if (control) batch.command({ kind: "acceptOn", handle: CONTROL_HANDLE });
  if (metrics) batch.command({ kind: "acceptHeads", handle: METRICS_HANDLE });
};

/** The sockets are back: adopts the rest. The journal comes first: from then on it is this crank's. */
export const adopt = async (store: Store, settings: Settings, now: number): Promise<void> => {
  const path = runPath(settings, "journal");
  const bytes = path === null ? null : store.platform.readBytes(path);
  if (path === null || (bytes === null && !store.adoption?.orphans))
    return giveUp(store, `the journal ${path} was removed while it was read`);
  store.batch.command({ kind: "takeJournal", path });
  nextStage(store, "serving");
  sayWhere(store);
  await present(store, settings);
  await takeOver(store, settings, bytes, now);
  lookAtNames(store);
  acceptClients(store, settings);
};

/** Writes the pid file and the lock file, if the program has them. */
const writeFiles = async ({ platform, facts }: Store, { pidPath, lockPath }: Extras): Promise<string | null> => {
  const lock = platform.ensureFile(lockPath, "");
  if (lock !== null) return `the lock file ${lockPath} cannot be created: ${lock}`;
  platform.removeTemporaries(pidPath);
  const pid = await platform.replaceFile(pidPath, String(facts.pid), "asBefore");
  return pid === null ? null : `the pid file ${pidPath} cannot be written: ${pid}`;
};

/** Writes the pid file and sets the process title, if the program has them. */
const present = async (store: Store, { extras }: Settings): Promise<void> => {
  const failure = extras ? await writeFiles(store, extras) : null;
  if (failure !== null) log(store, "error", failure);
  if (extras) store.batch.command({ kind: "setTitle", title: extras.title });
  await store.frontEnd.begun?.(store);
};

const sayWhere = (store: Store): void => {
  const sockets = serviceSockets(store);
  for (const socket of sockets) log(store, "info", `Listening on ${socket.address}`);
  if (sockets.length === 0) log(store, "info", "Serving without sockets: workers inherit none");
  const metrics = store.sockets.get(METRICS_HANDLE);
  if (metrics) log(store, "info", `Metrics are served on ${metrics.address}`);
};

export const serve = async (store: Store, settings: Settings, now: number): Promise<void> => {
  nextStage(store, "serving");
  sayWhere(store);
  lookAtNames(store);
  warnOfKernelLimits(store, settings);
  await present(store, settings);
  if (settings.first) deployForNobody(store, settings.first, now);
  else if (store.core.history.length > 0) {
    log(store, "info", `Starting the recorded run of ${settings.recordPath}`);
    redeploy(store, now);
  }
};
