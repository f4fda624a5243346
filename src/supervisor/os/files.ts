// The only module that opens, creates, replaces, renames and removes crank's own files; `make check` proves that. Root
// may run crank in a directory that other users can write to, so no path is trusted twice: the directory is opened
// first, and a file in it without following links and with O_PATH. Only fstat(2) on that descriptor decides whether the
// file is used, and it is opened by way of /proc/self/fd.
import { host } from "#host";
import { bytesOf, hexOf, joinBytes } from "../../host/bytes.ts";
import { ACCESS, type FileStatus, OPEN } from "../../host/files.ts";
import {
  attempt,
  codeOf,
  FileError,
  fail,
  isOurs,
  OTHERS_WRITE,
  ownUid,
  refused,
  refuseExchangeable,
  refuseForeign,
  tooLong,
  writable,
} from "./file-error.ts";
import type { DirectoryAccess } from "./platform.ts";

const { files } = host;

/** Which files are read: those of crank's own user and root, or those of any user, if only people read the content. */
export type Trust = "own" | "any";

/** Opens without following links, and without opening a fifo or device. */
const LOOK = { flags: OPEN.readOnly, noFollow: true, pathOnly: true } as const;

/** The whole file, at most `limit` bytes. Throws FileError. */
export const readOwnFile = (path: string, limit: number, trust: Trust = "own"): Uint8Array =>
  inDirectory(path, (directory) =>
    withFile(directory, OPEN.readOnly, (file, status) => {
      if (trust === "own") refuseForeign(status);
      if (status.size > limit) throw tooLong(limit);
      return readBounded(file, limit);
    }),
  );

/**
 * Makes sure that crank's own plain file exists (0644 less the umask, with `text` if it is new) and can be replaced.
 * Throws FileError.
 */
export const ensureOwnFile = (path: string, text: string): void =>
  inDirectory(path, (directory) => {
    refuseExchangeable(directory);
    create(directory, text);
    withFile(directory, OPEN.readWrite, (_, status) => refuseForeign(status));
    attempt(() => files.access(".", ACCESS.write, directory.fd));
  });

/** Throws FileError if other users can exchange a file at this path, because of its directory. */
export const refuseUnsafeDirectory = (path: string): void => inDirectory(path, refuseExchangeable);

/**
 * Makes sure that crank's own directory exists and only its owner can write to it: `passable` (0711 if it is new),
 * `readable` (0755 if it is new), both whatever the umask, or `owner` (0700). Throws FileError.
 */
export const ensureOwnDirectory = (path: string, access: DirectoryAccess): void =>
  inDirectory(path, (parent) => {
    refuseExchangeable(parent);
    const isNew = make(parent);
    looking(parent, (fd, status) => {
      if (status.kind === "link") throw refused("it is a symbolic link");
      if (status.kind !== "directory") throw refused("not a directory");
      if (status.uid !== ownUid()) throw refused(`it belongs to another user (uid ${status.uid})`);
      // The umask may have removed too much: workers of other users pass through it.
      if (access === "owner" || isNew) files.changeMode(fd, DIRECTORY_MODES[access]);
      else if ((status.mode & OTHERS_WRITE) !== 0) throw refused(writable(status, `chmod go-w ${path}`));
      attempt(() => files.access(".", ACCESS.write | ACCESS.execute, fd));
    });
  });
const DIRECTORY_MODES = { owner: 0o700, passable: 0o711, readable: 0o755 } as const;

/**
 * Replaces the file atomically: a reader sees the old text or the new one, whenever it is interrupted. Mode as before,
 * or readable by its owner only. Does not block, but may never end on a hanging disk. Rejects with FileError.
 */
export const replaceOwnFile = async (path: string, text: string, readers: "asBefore" | "owner"): Promise<void> => {
  const { parent, name } = split(path);
  const directory = attempt(() => files.open(parent, { flags: OPEN.readOnly, mustBeDirectory: true }));
  try {
    refuseExchangeable({ status: files.statusOf(directory), path: parent });
    const mode = modeOf(name, directory) & (readers === "owner" ? OWNER_ONLY : ALL_BITS);
    await files.replace({ directory, name, temporaryName: temporaryName(name), bytes: bytesOf(text), mode });
  } catch (error) {
    fail(error);
  } finally {
    files.close(directory);
  }
};
const OWNER_ONLY = 0o600;

/** Renames an unusable file. Returns the new path. Throws FileError. */
export const setOwnFileAside = (path: string): string =>
  inDirectory(path, (directory) => {
    let number = 1;
    // If all names are taken, the last one is overwritten.
    while (number < MOST_KEPT_ASIDE && isThere(`${directory.name}.bad-${number}`, directory.fd)) number++;
    attempt(() => files.rename(directory.name, `${directory.name}.bad-${number}`, directory.fd));
    return `${path}.bad-${number}`;
  });
/** How many unusable files of one name are kept. */
const MOST_KEPT_ASIDE = 9;

/** Removes crank's own plain file, or the file of a socket. Anything else at the path stays. Throws FileError. */
export const removeOwnFile = (path: string, kind: "file" | "socket"): void =>
  inDirectory(path, (directory) =>
    looking(directory, (_, status) => {
      const isMeant = status.kind === kind && (kind === "socket" || status.uid === ownUid());
      if (isMeant) attempt(() => files.removeFile(directory.name, directory.fd));
    }),
  );

/** Removes temporary files that a killed crank left while replacing this file. Failures are ignored. */
export const removeTemporaries = (path: string): void => {
  try {
    inDirectory(path, ({ fd, name }) => {
      for (const entry of files.list(".", fd)) {
        if (!isTemporaryOf(name, entry)) continue;
        looking({ fd, name: entry }, (_, status) => {
          if (status.kind === "file" && status.uid === ownUid()) files.removeFile(entry, fd);
        });
      }
    });
  } catch {
    // They take little space.
  }
};

/**
 * Calls `use` with a path that leads to the socket file which is at `path` now, even if `path` is replaced meanwhile.
 * null: there is no file; false: it is not a socket.
 */
export const atSocketFile = async <T>(path: string, use: (held: string) => Promise<T>): Promise<T | false | null> => {
  let fd: number;
  try {
    fd = inDirectory(path, (directory) => look(directory));
  } catch (error) {
    if (error instanceof FileError && error.code === "ENOENT") return null;
    throw error;
  }
  try {
    return files.statusOf(fd).kind === "socket" ? await use(at(fd)) : false;
  } finally {
    files.close(fd);
  }
};

/**
 * The first directory on the path that the user may not pass by its mode (access control lists may differ); null: there
 * is none.
 */
export const closedDirectory = (
  path: string,
  { uid, gid, groups }: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] },
): { readonly path: string; readonly mode: number } | null => {
  if (uid === 0) return null;
  for (let end = 0; end >= 0; end = end === path.length ? -1 : nextEnd(path, end)) {
    const directory = path.slice(0, end) || "/";
    const status = statusAt(directory);
    if (status === null) return null;
    const isOfGroup = status.gid === gid || groups.includes(status.gid);
    const passes = status.uid === uid ? 0o100 : isOfGroup ? 0o010 : 0o001;
    if ((status.mode & passes) === 0) return { path: directory, mode: status.mode };
  }
  return null;
};

/** The end of the path's next component. */
const nextEnd = (path: string, end: number): number => {
  const slash = path.indexOf("/", end + 1);
  return slash < 0 ? path.length : slash;
};

// One directory, one file in it -----------------------------------------------------------------------------------------

type InDirectory = { readonly fd: number; readonly name: string };
type Parent = InDirectory & { readonly status: FileStatus; readonly path: string };

/**
 * Opens the path's directory and calls `use` with it. Links on the way are followed, because the administrator made
 * them.
 */
const inDirectory = <T>(path: string, use: (directory: Parent) => T): T => {
  const { parent, name } = split(path);
  const fd = attempt(() => files.open(parent, { flags: OPEN.readOnly, mustBeDirectory: true, pathOnly: true }));
  try {
    return use({ fd, name, status: files.statusOf(fd), path: parent });
  } finally {
    files.close(fd);
  }
};

const split = (path: string): { readonly parent: string; readonly name: string } => {
  const trimmed = path.replace(/(?<=.)\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  return { parent: slash < 0 ? "." : trimmed.slice(0, Math.max(1, slash)), name: trimmed.slice(slash + 1) || "." };
};

const at = (fd: number): string => `/proc/self/fd/${fd}`;

const needProc = (): void => {
  if (statusAt("/proc/self/fd") === null)
    throw refused("/proc is not mounted, and crank needs it to open files: mount -t proc proc /proc");
};

const statusAt = (path: string): FileStatus | null => {
  try {
    return files.status(path);
  } catch {
    return null;
  }
};

const look = ({ name, fd }: InDirectory): number => attempt(() => files.open(name, { ...LOOK, directory: fd }));

/** Calls `use` with the entry of this name, opened with O_PATH. */
const looking = <T>(directory: InDirectory, use: (fd: number, status: FileStatus) => T): T => {
  const fd = look(directory);
  try {
    return use(fd, files.statusOf(fd));
  } finally {
    files.close(fd);
  }
};

/** Opens a plain file. A fifo or a device is never opened, because opening it can have effects. */
const withFile = <T>(directory: InDirectory, flags: number, use: (fd: number, status: FileStatus) => T): T =>
  looking(directory, (held, { kind }) => {
    if (kind === "link") throw refused("it is a symbolic link");
    if (kind !== "file") throw refused("not a plain file");
    const fd = attempt(() => open(held, flags));
    try {
      return use(fd, files.statusOf(fd));
    } finally {
      files.close(fd);
    }
  });

const open = (held: number, flags: number): number => {
  try {
    return files.open(at(held), { flags: flags | OPEN.nonBlocking });
  } catch (error) {
    needProc();
    throw error;
  }
};

const isThere = (name: string, directory: number): boolean => {
  try {
    files.linkStatus(name, directory);
    return true;
  } catch (error) {
    return codeOf(error) !== "ENOENT";
  }
};

/** Does nothing if the name exists. */
const create = ({ name, fd: directory }: InDirectory, text: string): void => {
  const flags = OPEN.writeOnly | OPEN.create | OPEN.exclusive;
  let fd: number;
  try {
    fd = files.open(name, { flags, mode: NEW_MODE, noFollow: true, directory });
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    return fail(error);
  }
  try {
    attempt(() => files.write(fd, bytesOf(text)));
  } catch (error) {
    // The disk is full. An incomplete file would be taken for a damaged one.
    attempt(() => files.removeFile(name, directory));
    throw error;
  } finally {
    files.close(fd);
  }
};

/** Returns true if the directory did not exist. */
const make = ({ name, fd }: InDirectory): boolean => {
  try {
    files.makeDirectory(name, DIRECTORY_MODES.owner, fd);
    return true;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") fail(error);
    return false;
  }
};

const readBounded = (file: number, limit: number): Uint8Array => {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const part = new Uint8Array(CHUNK_BYTES);
    const count = attempt(() => files.read(file, part, length));
    if (count === 0) return joinBytes(parts);
    length += count;
    if (length > limit) throw tooLong(limit);
    parts.push(part.subarray(0, count));
  }
};
const CHUNK_BYTES = 64 * 1024;

const temporaryName = (name: string): string => {
  const number = new Uint8Array(8);
  host.clock.random(number);
  return `.${name}.${hexOf(number)}.new`;
};

/** The keeper uses names of the same form. */
const isTemporaryOf = (name: string, entry: string): boolean =>
  entry.startsWith(`.${name}.`) && /^[0-9a-f]{16}\.new$/.test(entry.slice(name.length + 2));

const modeOf = (name: string, directory: number): number => {
  try {
    const status = files.linkStatus(name, directory);
    return status.kind === "file" && isOurs(status) ? status.mode & ~OTHERS_WRITE : NEW_MODE;
  } catch {
    return NEW_MODE;
  }
};
const NEW_MODE = 0o644;
const ALL_BITS = 0o7777;
