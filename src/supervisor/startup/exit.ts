// The end of crank itself.
import { abandonUpgrades, giveHeldAnswers } from "../control/replies.ts";
import { serviceSockets } from "../sockets/listeners.ts";
import { closeName } from "../sockets/names.ts";
import { CONTROL_HANDLE, METRICS_HANDLE } from "../state/handles.ts";
import { closeSocket, saveAcceptCheck } from "../state/save.ts";
import type { Store } from "../state/store.ts";

/** Closes the sockets of the service, and removes their names. */
export const closeSockets = (store: Store): void => {
  for (const socket of serviceSockets(store)) {
    if (store.settings?.binds[socket.bind ?? 0]?.address.kind === "unix")
      store.batch.command({ kind: "removeName", handle: socket.handle });
    store.batch.command({ kind: "closeHandle", handle: socket.handle });
    closeName(store, socket.handle);
    closeSocket(store, socket);
  }
};

/** Removes the pid file, unless it belongs to another process by now. */
const removePid = ({ platform, settings, facts }: Store): void => {
  const path = settings?.extras?.pidPath;
  const file = path === undefined ? null : platform.readText(path);
  if (path !== undefined && file?.kind === "text" && file.text.trim() === String(facts.pid))
    platform.removeFile(path, "file");
};

/** Ends crank: removes what is left of its sockets, and leaves running workers behind. */
export const leave = (store: Store, status: number): void => {
  abandonUpgrades(store);
  if (store.acceptCheck) saveAcceptCheck(store, null);
  if (!store.events.hasUnpublished) giveHeldAnswers(store);
  closeSockets(store);
  removePid(store);
  for (const handle of [CONTROL_HANDLE, METRICS_HANDLE]) {
    if (store.sockets.has(handle)) store.batch.command({ kind: "removeName", handle });
  }
  store.batch.command({ kind: "exit", status, keepJournal: 0 });
};
