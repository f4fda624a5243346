// Stream connections for the supervisor (to its keeper) and for control clients: those of the host, with sentences for
// failures.
import { host } from "#host";
import { byteLength } from "../host/bytes.ts";
import { HostError } from "../host/errors.ts";
import { addressesOf } from "../host/names.ts";
import type { Stream, StreamHandlers } from "../host/streams.ts";

export type Channel = Stream;

export type ChannelHandlers = {
  /** Bytes have arrived; they belong to the handler only during the call. */
  data(bytes: Uint8Array): void;
  /** The channel is closed. Called once. null: the system gave no reason. */
  close(reason: ChannelError | null): void;
};

/** A connection that failed or broke. `code` is the system's (ENOENT, ECONNREFUSED, EACCES, ENOTFOUND …). */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Opens the supervisor's end of the socket pair from its keeper. The channel owns `fd` afterwards. Rejects with
 * ChannelError.
 */
export const openChannel = (fd: number, handlers: ChannelHandlers): Promise<Channel> =>
  opened(`use descriptor ${fd}`, handlers, (streamHandlers) => host.streams.open(fd, streamHandlers));

/**
 * Connects to the unix socket at `path`. Rejects with ChannelError: ENOENT (no such file), ECONNREFUSED (not
 * listening), ENAMETOOLONG.
 */
export const connectUnix = async (path: string, handlers: ChannelHandlers): Promise<Channel> => {
  if (byteLength(path) > UNIX_PATH_BYTES)
    throw new ChannelError(
      "ENAMETOOLONG",
      `the path ${path} is longer than the ${UNIX_PATH_BYTES} bytes of a unix socket's`,
    );
  return opened(`connect to ${path}`, handlers, (streamHandlers) => host.streams.connectUnix(path, streamHandlers));
};

/**
 * Connects over TCP to the first address of the host that accepts. Rejects with ChannelError: ECONNREFUSED, ENOTFOUND,
 * ETIMEDOUT …
 */
export const connectTcp = async (name: string, port: number, handlers: ChannelHandlers): Promise<Channel> =>
  opened(`connect to ${name} port ${port}`, handlers, async (streamHandlers) => {
    const [first = "", ...others] = await addressesOf(name);
    const connect = (address: string) => host.streams.connectTcp(address, port, streamHandlers);
    return others.reduce((trying, address) => trying.catch(() => connect(address)), connect(first));
  });

/** The uid that owns a socket's file; null: unknown. */
export const socketOwner = async (path: string): Promise<number | null> => {
  try {
    return host.files.status(path).uid;
  } catch {
    return null;
  }
};

/** unix(7): sun_path has 108 bytes, the last for a NUL. */
const UNIX_PATH_BYTES = 107;

const opened = async (
  what: string,
  handlers: ChannelHandlers,
  open: (handlers: StreamHandlers) => Promise<Stream>,
): Promise<Channel> => {
  try {
    return await open({
      data: (bytes) => handlers.data(bytes),
      close: (code) => handlers.close(code === null ? null : channelError(code, what, code)),
    });
  } catch (error) {
    if (error instanceof HostError) throw channelError(error.code, what, error.message, error);
    throw error;
  }
};

const channelError = (code: string, what: string, message: string, cause?: unknown): ChannelError =>
  new ChannelError(code, `cannot ${what}: ${REASONS[code] ?? (code === "ENOTFOUND" ? message : code)}`, { cause });

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is nothing there (ENOENT)",
  ECONNREFUSED: "nothing is listening there (ECONNREFUSED)",
  EACCES: "permission denied (EACCES)",
};
