// The one module that opens, creates, replaces, renames and removes crank's own files. Root may run crank in a directory that
// other users can write to, so nothing here trusts a path twice: the directory is opened first, a file is opened in it
// without following links and without opening what it is (O_PATH), and only what fstat(2) then says decides whether it is
// used. Node has no openat(2): /proc/self/fd/N/NAME is the same. `make check` proves that no other module does any of this.
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  promises,
  readdirSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";

/** A file that is not used, or could not be. The message completes "the file PATH cannot be used: …". */
export class FileError extends Error {
  override name = "FileError";
  /** The system's (`ENOENT`), or `REFUSED`: it could be opened, but others can change or exchange it. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Who may have made what is read: crank's own user and root, or any user where nothing but a person reads what it says. */
export type Trust = "own" | "any";

/** open(2): neither in Node's constants nor in Bun's. */
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const LOOK = O_PATH | O_NOFOLLOW | O_CLOEXEC;
const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;

/** The whole file, which has at most `limit` bytes. Throws FileError. */
export const readOwnFile = (path: string, limit: number, trust: Trust = "own"): Uint8Array =>
  inDirectory(path, (directory) =>
    withFile(directory, O_RDONLY, (file, status) => {
      if (trust === "own") refuseForeign(status);
      if (status.size > limit) throw tooLong(limit);
      return readBounded(file, limit);
    }),
  );

/** Makes sure that a plain file of crank's is there (0644 less the umask, with `text` if it is new), and can be replaced. Throws FileError. */
export const ensureOwnFile = (path: string, text: string): void =>
  inDirectory(path, (directory) => {
    refuseExchangeable(directory);
    create(directory, text);
    withFile(directory, O_RDWR, (_, status) => refuseForeign(status));
    attempt(() => accessSync(at(directory.fd), constants.W_OK));
  });

/** Throws FileError if others can exchange what is made at this path, because of the directory that it is in. */
export const refuseUnsafePlace = (path: string): void => inDirectory(path, refuseExchangeable);

/**
 * Makes sure that a directory of crank's is there, which nobody else can write to: one that others may pass (0711 if it is new,
 * whatever the umask), or its owner's alone (0700). Throws FileError.
 */
export const ensureOwnDirectory = (path: string, access: "passable" | "owner"): void =>
  inDirectory(path, (parent) => {
    refuseExchangeable(parent);
    const isNew = make(parent);
    const fd = attempt(() => openSync(parent.file, LOOK));
    try {
      const status = fstatSync(fd);
      if (status.isSymbolicLink()) throw refused("it is a link, which is not followed");
      if (!status.isDirectory()) throw refused("not a directory");
      if (status.uid !== ownUid()) throw refused(`it belongs to another user (uid ${status.uid})`);
      // The umask took more away than it should; workers of another user pass through it.
      if (access === "owner") chmodSync(at(fd), 0o700);
      else if (isNew) chmodSync(at(fd), DIRECTORY_MODE);
      else if ((status.mode & OTHERS_WRITE) !== 0) throw refused(writable(status, `chmod go-w ${path}`));
      attempt(() => accessSync(at(fd), constants.W_OK | constants.X_OK));
    } finally {
      closeSync(fd);
    }
  });
const DIRECTORY_MODE = 0o711;

/**
 * Replaces the file: who reads it sees the old text or the new one, whatever is cut off when. Readable as it was, or by its
 * owner alone. Not with the functions that wait: on a disk that hangs each of these steps may take for ever. Rejects with FileError.
 */
export const replaceOwnFile = async (path: string, text: string, readers: "asBefore" | "owner"): Promise<void> => {
  const { parent, name } = split(path);
  const directory = await promises.open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC).catch(fail);
  try {
    refuseExchangeable({ status: await directory.stat(), path: parent });
    const file = `${at(directory.fd)}/${name}`;
    const mode = (await modeOf(file)) & (readers === "owner" ? OWNER_ONLY : 0o7777);
    const temporary = `${at(directory.fd)}/${temporaryName(name)}`;
    try {
      await writeDurably(temporary, text, mode);
      await promises.rename(temporary, file);
    } catch (error) {
      await promises.unlink(temporary).catch(() => {});
      throw error;
    }
    await syncDirectory(at(directory.fd));
  } catch (error) {
    fail(error);
  } finally {
    await directory.close();
  }
};
const OWNER_ONLY = 0o600;

/** Renames an unusable file out of the way. Returns the new path. Throws FileError. */
export const setOwnFileAside = (path: string): string =>
  inDirectory(path, (directory) => {
    let number = 1;
    // When all are taken, the last one gives way.
    while (number < MOST_KEPT_ASIDE && isThere(`${directory.file}.bad-${number}`)) number++;
    attempt(() => renameSync(directory.file, `${directory.file}.bad-${number}`));
    return `${path}.bad-${number}`;
  });
/** How many unusable files of one name are kept. */
const MOST_KEPT_ASIDE = 9;

/** Removes a plain file of crank's, or a socket's file; anything else at the path stays. Throws FileError. */
export const removeOwnFile = (path: string, kind: "file" | "socket"): void =>
  inDirectory(path, (directory) =>
    looking(directory, (_, status) => {
      const isMeant = kind === "socket" ? status.isSocket() : status.isFile() && status.uid === ownUid();
      if (isMeant) attempt(() => unlinkSync(directory.file));
    }),
  );

/** Removes what a crank that was killed left while it replaced this file. Nothing is said of what cannot be removed. */
export const removeTemporaries = (path: string): void => {
  try {
    inDirectory(path, ({ fd, name }) => {
      for (const entry of readdirSync(at(fd))) {
        if (!isTemporaryOf(name, entry)) continue;
        const left = { fd, name: entry, file: `${at(fd)}/${entry}` };
        looking(left, (_, status) => {
          if (status.isFile() && status.uid === ownUid()) unlinkSync(left.file);
        });
      }
    });
  } catch {
    // They take little room.
  }
};

/** Calls `use` with a path by which a socket's file is reached that is at `path` now, whatever is put there meanwhile. Null: there is none; false: it is no socket. */
export const atSocketFile = async <T>(path: string, use: (held: string) => Promise<T>): Promise<T | false | null> => {
  let fd: number;
  try {
    fd = inDirectory(path, ({ file }) => attempt(() => openSync(file, LOOK)));
  } catch (error) {
    if (error instanceof FileError && error.code === "ENOENT") return null;
    throw error;
  }
  try {
    return fstatSync(fd).isSocket() ? await use(at(fd)) : false;
  } finally {
    closeSync(fd);
  }
};

/** The first directory on the way into this one that a user may not pass, by its mode: access lists may say otherwise. Null: there is none. */
export const closedDirectory = (
  path: string,
  { uid, gid, groups }: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] },
): { readonly path: string; readonly mode: number } | null => {
  if (uid === 0) return null;
  for (let end = 0; end >= 0; end = end === path.length ? -1 : nextEnd(path, end)) {
    const directory = path.slice(0, end) || "/";
    const status = statSync(directory, { throwIfNoEntry: false });
    if (status === undefined) return null;
    const isOfGroup = status.gid === gid || groups.includes(status.gid);
    const passes = status.uid === uid ? 0o100 : isOfGroup ? 0o010 : 0o001;
    if ((status.mode & passes) === 0) return { path: directory, mode: status.mode & 0o7777 };
  }
  return null;
};

/** Where the next component of a path ends. */
const nextEnd = (path: string, end: number): number => {
  const slash = path.indexOf("/", end + 1);
  return slash < 0 ? path.length : slash;
};

// One directory, one file in it -----------------------------------------------------------------------------------------

type InDirectory = { readonly fd: number; readonly name: string; readonly file: string };
type Parent = InDirectory & { readonly status: Stats; readonly path: string };

/** Opens the directory that a path leads to and calls `use` with it. Links on the way are followed, as the administrator made them. */
const inDirectory = <T>(path: string, use: (directory: Parent) => T): T => {
  const { parent, name } = split(path);
  needProc();
  const fd = attempt(() => openSync(parent, O_PATH | O_DIRECTORY | O_CLOEXEC));
  try {
    return use({ fd, name, file: `${at(fd)}/${name}`, status: fstatSync(fd), path: parent });
  } finally {
    closeSync(fd);
  }
};

/** (node:path costs a start 1 ms, and 1 MB.) */
const split = (path: string): { readonly parent: string; readonly name: string } => {
  const slash = path.lastIndexOf("/");
  return { parent: slash < 0 ? "." : path.slice(0, Math.max(1, slash)), name: path.slice(slash + 1) };
};

const at = (fd: number): string => `/proc/self/fd/${fd}`;

const needProc = (): void => {
  isProcThere ??= isThereAtAll("/proc/self/fd");
  if (!isProcThere)
    throw refused("/proc is not mounted, and crank opens its files by way of it: mount -t proc proc /proc");
};
let isProcThere: boolean | undefined;

const isThereAtAll = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Calls `use` with what is at the name, opened only to be looked at. */
const looking = <T>({ file }: InDirectory, use: (fd: number, status: Stats) => T): T => {
  const fd = attempt(() => openSync(file, LOOK));
  try {
    return use(fd, fstatSync(fd));
  } finally {
    closeSync(fd);
  }
};

/** Opens a plain file. A fifo or a device is never opened, so that none of them can do anything. */
const withFile = <T>(directory: InDirectory, flags: number, use: (fd: number, status: Stats) => T): T =>
  looking(directory, (held, status) => {
    if (status.isSymbolicLink()) throw refused("it is a link, which is not followed");
    if (!status.isFile()) throw refused("not a plain file");
    const fd = attempt(() => openSync(at(held), flags | O_NONBLOCK | O_CLOEXEC));
    try {
      return use(fd, fstatSync(fd));
    } finally {
      closeSync(fd);
    }
  });

const isThere = (file: string): boolean => {
  try {
    closeSync(openSync(file, LOOK));
    return true;
  } catch (error) {
    return codeOf(error) !== "ENOENT";
  }
};

/** True: it was not there. */
const create = (directory: InDirectory, text: string): void => {
  let fd: number;
  try {
    fd = openSync(directory.file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    return fail(error);
  }
  try {
    attempt(() => writeSync(fd, text));
  } finally {
    closeSync(fd);
  }
};

/** True: the directory was not there. */
const make = (parent: InDirectory): boolean => {
  try {
    mkdirSync(parent.file, { mode: DIRECTORY_MODE });
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
    const count = attempt(() => readSync(file, part, 0, CHUNK_BYTES, length));
    if (count === 0) break;
    length += count;
    if (length > limit) throw tooLong(limit);
    parts.push(part.subarray(0, count));
  }
  const whole = new Uint8Array(length);
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
};
const CHUNK_BYTES = 64 * 1024;

const temporaryName = (name: string): string => {
  const number = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
  return `.${name}.${number.toString(16).padStart(16, "0")}.new`;
};

/** The keeper gives the same names. */
const isTemporaryOf = (name: string, entry: string): boolean =>
  entry.startsWith(`.${name}.`) && /^[0-9a-f]{16}\.new$/.test(entry.slice(name.length + 2));

const modeOf = async (file: string): Promise<number> => {
  try {
    const status = await promises.lstat(file);
    return status.isFile() && isOurs(status) ? status.mode & 0o7777 & ~OTHERS_WRITE : NEW_MODE;
  } catch {
    return NEW_MODE;
  }
};
const NEW_MODE = 0o644;

const writeDurably = async (path: string, text: string, mode: number): Promise<void> => {
  const file = await promises.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, OWNER_ONLY);
  try {
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
};

const syncDirectory = async (path: string): Promise<void> => {
  const directory = await promises.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};

// What is refused --------------------------------------------------------------------------------------------------------

const ownUid = (): number => process.getuid?.() ?? 0;

const isOurs = ({ uid }: Stats): boolean => uid === 0 || uid === ownUid();

const refuseForeign = (status: Stats): void => {
  if (!isOurs(status)) throw refused(`it belongs to another user (uid ${status.uid})`);
  if ((status.mode & OTHERS_WRITE) !== 0) throw refused(writable(status, "chmod go-w"));
};

/** In a sticky directory others can make names, but take none of ours away. */
const refuseExchangeable = ({ status, path }: Pick<Parent, "status" | "path">): void => {
  if (!isOurs(status)) throw refused(`its directory ${path} belongs to another user (uid ${status.uid})`);
  if ((status.mode & OTHERS_WRITE) !== 0 && (status.mode & STICKY) === 0)
    throw refused(`its directory ${path} is not crank's alone, ${writable(status, `chmod go-w ${path}`)}`);
};

const writable = ({ mode }: Stats, advice: string): string =>
  `other users can write to it (mode ${(mode & 0o7777).toString(8).padStart(4, "0")}; ${advice})`;

const refused = (message: string): FileError => new FileError("REFUSED", message);

const tooLong = (limit: number): FileError => refused(`it has more than ${limit} bytes`);

const attempt = <T>(action: () => T): T => {
  try {
    return action();
  } catch (error) {
    return fail(error);
  }
};

const fail = (error: unknown): never => {
  throw error instanceof FileError ? error : new FileError(codeOf(error), reasonOf(error), error);
};

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EMFILE: "too many open files",
  EIO: "input/output error",
  EFBIG: "file too large",
  ELOOP: "it is a link, which is not followed",
};

const reasonOf = (error: unknown): string => {
  const code = codeOf(error);
  return REASONS[code] ?? (code !== "" ? code : error instanceof Error ? error.message : String(error));
};
