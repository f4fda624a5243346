// The owner of a control socket, if it is neither root nor the caller.
import { host } from "#host";
import { socketOwner } from "../keeper/channel.ts";
import { findUser } from "../supervisor/os/users.ts";

/** A sentence about the owner of the socket at `path`; null: root or the caller, or it cannot be seen. */
export const strangeOwner = async (path: string): Promise<string | null> => {
  const uid = await socketOwner(path);
  if (uid === null || uid === 0 || uid === host.processes.identity().uid) return null;
  const name = findUser(String(uid))?.name;
  return `the control socket ${path} belongs to user ${uid}${name === undefined ? "" : ` (${name})`}, which controls its answers`;
};
