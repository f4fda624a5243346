// Files of the system, above all those of /proc: read as they are, with links followed. What the system does not show
// is null.
import { host } from "#host";
import { joinBytes, textOf } from "../../host/bytes.ts";
import { HostError, hostError } from "../../host/errors.ts";
import { OPEN } from "../../host/files.ts";

const { files } = host;

const CHUNK_BYTES = 16 * 1024;
/** More than any of these files has. */
const MOST_BYTES = 256 * 1024 * 1024;

/** The whole file. Throws HostError. */
export const readWhole = (path: string): Uint8Array => {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const part of partsOf(path)) {
    length += part.length;
    if (length > MOST_BYTES) throw hostError("EFBIG", "read", path);
    parts.push(part);
  }
  return joinBytes(parts);
};

/** The file in parts, read on demand. Throws HostError. */
export function* partsOf(path: string): Generator<Uint8Array> {
  const fd = files.open(path, { flags: OPEN.readOnly });
  try {
    for (;;) {
      const part = new Uint8Array(CHUNK_BYTES);
      const count = files.read(fd, part);
      if (count === 0) return;
      yield part.subarray(0, count);
    }
  } finally {
    files.close(fd);
  }
}

export const textAt = (path: string): string | null => orNull(() => textOf(readWhole(path)));

/** The first read of a file: at most 256 bytes. */
export const beginningAt = (path: string): string | null => orNull(() => files.beginning(path));

/** The target of a link. */
export const linkAt = (path: string): string | null => orNull(() => files.readLink(path));

/** The names in a directory. */
export const namesIn = (path: string): readonly string[] | null => orNull(() => files.list(path));

/** The result of `act`; null if the system refuses it. */
export const orNull = <T>(act: () => T): T | null => {
  try {
    return act();
  } catch (error) {
    if (error instanceof HostError) return null;
    throw error;
  }
};
