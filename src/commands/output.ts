// Standard output and standard error: everything is written before a command ends, however slow the reader, and a
// reader that has closed its end is not an error.
import { host } from "#host";
import { HostError } from "../host/errors.ts";

/** Output could not be written, for example on a full disk. `code` is the system's. */
export class OutputError extends Error {
  override readonly name = "OutputError";
  readonly code: string;
  constructor(code: string, options?: ErrorOptions) {
    super(`cannot write the output: ${code === CLOSED ? "standard output is closed" : code}`, options);
    this.code = code;
  }
}

/** One of the two. */
export class Output {
  readonly #fd: 1 | 2;
  #hasReader = true;

  constructor(fd: 1 | 2) {
    this.#fd = fd;
  }

  /** False when the other end of the pipe is closed: later output is dropped. */
  get hasReader(): boolean {
    return this.#hasReader;
  }

  /** Whether it is a terminal. */
  get isTerminal(): boolean {
    return host.terminal.isTerminal(this.#fd);
  }

  /** Writes all of it before it returns. Throws OutputError. */
  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length && this.#hasReader; ) at += this.#writeSome(bytes.subarray(at));
  }

  /** The same for endless output: it is never held back until the end. */
  writeNow(text: string): void {
    this.write(text);
  }

  #writeSome(bytes: Uint8Array): number {
    try {
      return host.files.write(this.#fd, bytes);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (error.code === "EAGAIN") host.files.waitUntilWritable(this.#fd);
      else if (GONE.has(error.code) || (error.code === CLOSED && this.#fd === 2)) this.#hasReader = false;
      else throw new OutputError(error.code, { cause: error });
      return 0;
    }
  }
}

/** No reader: a closed pipe, a socket whose other end was closed with bytes unread. */
const GONE: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET"]);
/** The descriptor was closed before the program started. As with coreutils, output that goes there is lost, an error; where
 * standard error is closed, errors are not wanted. */
const CLOSED = "EBADF";
