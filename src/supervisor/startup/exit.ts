// The end of crank itself.
import { abandonUpgrades, giveHeldAnswers } from "../control/replies.ts";
import { serviceSockets } from "../sockets/listeners.ts";
import { closeName } from "../sockets/names.ts";
import { CONTROL_HANDLE, METRICS_HANDLE } from "../state/handles.ts";
import { closeSocket, rememberLook } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";

/** Closes the sockets of the service, and removes their names. */
export const closeSockets = (memory: Memory): void => {
  for (const socket of serviceSockets(memory)) {
    if (memory.settings?.binds[socket.bind ?? 0]?.address.kind === "unix")
      memory.batch.command({ kind: "removeName", handle: socket.handle });
    memory.batch.command({ kind: "closeHandle", handle: socket.handle });
    closeName(memory, socket.handle);
    closeSocket(memory, socket);
  }
};

/** Removes the pid file, unless it belongs to another process by now. */
const removePid = ({ platform, settings, facts }: Memory): void => {
  const path = settings?.extras?.pidPath;
  const file = path === undefined ? null : platform.readText(path);
  if (path !== undefined && file?.kind === "text" && file.text.trim() === String(facts.pid))
    platform.removeFile(path, "file");
};

/** Ends crank: removes what is left of its sockets, and leaves running workers behind. */
export const leave = (memory: Memory, status: number): void => {
  abandonUpgrades(memory);
  if (memory.look) rememberLook(memory, null);
  if (!memory.events.hasUnpublished) giveHeldAnswers(memory);
  closeSockets(memory);
  removePid(memory);
  for (const handle of [CONTROL_HANDLE, METRICS_HANDLE]) {
    if (memory.sockets.has(handle)) memory.batch.command({ kind: "removeName", handle });
  }
  memory.batch.command({ kind: "exit", status, keepJournal: 0 });
};
