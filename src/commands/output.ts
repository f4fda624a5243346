// Standard output and standard error: everything is written before a command ends, however slow the reader, and a
// reader that has gone is no error.
import type { writeSync } from "node:fs";

/** Output could not be written: a full disk, say. `code` is the system's. */
export class OutputError extends Error {
  override readonly name = "OutputError";
  readonly code: string;
  constructor(code: string, options?: ErrorOptions) {
    super(`couldn't write the output: ${code}`, options);
    this.code = code;
  }
}

/** One of the two. Writes have to be awaited one after the other, or made with `writeNow`. */
export class Output {
  readonly #fd: 1 | 2;
  #writeSync: typeof writeSync | null = null;
  #hasReader = true;

  constructor(fd: 1 | 2) {
    this.#fd = fd;
  }

  /** False when the other end of the pipe is closed: what is written from then on is dropped. */
  get hasReader(): boolean {
    return this.#hasReader;
  }

  /** Whether a person looks at it. Costs little where it is none: node:tty is loaded for other devices only. */
  async isTerminal(): Promise<boolean> {
    if (isBun) {
      const stat = await (this.#fd === 1 ? Bun.stdout : Bun.stderr).stat();
      if (!stat.isCharacterDevice() || stat.rdev === DEV_NULL) return false;
    }
    const { isatty } = await import("node:tty");
    return isatty(this.#fd);
  }

  /** Writes all of it. Throws OutputError. */
  async write(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length === 0 || !this.#hasReader) return;
    // node:fs costs Bun 2.5 ms at the start, and Bun.write next to nothing. But on a non-blocking pipe Bun 1.4.4 begins
    // again after a partial write; up to PIPE_BUF (pipe(7)) there is no such thing as a partial write.
    if (!isBun || this.#writeSync !== null || bytes.length > PIPE_BUF) {
      await this.startStreaming();
      this.writeNow(bytes);
      return;
    }
    try {
      await Bun.write(this.#fd === 1 ? Bun.stdout : Bun.stderr, bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Makes `writeNow` possible: for output that goes on and on, and has to hold up its source when nobody reads. */
  async startStreaming(): Promise<void> {
    this.#writeSync ??= (await import("node:fs")).writeSync;
  }

  /** Writes all of it before it returns; `startStreaming` first. Throws OutputError. */
  writeNow(text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    for (let at = 0; at < bytes.length && this.#hasReader && this.#writeSync !== null; ) {
      try {
        at += this.#writeSync(this.#fd, bytes, at);
      } catch (error) {
        if (codeOf(error) === "EAGAIN") pause();
        else if (codeOf(error) !== "EINTR") this.#fail(error);
      }
    }
  }

  #fail(error: unknown): void {
    const code = codeOf(error);
    if (!GONE.has(code)) throw new OutputError(code, { cause: error });
    this.#hasReader = false;
  }
}

/** No reader: a closed pipe, a socket whose other end was closed with bytes unread, a descriptor that was closed before we were started. */
const GONE: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET", "EBADF"]);
const isBun = process.versions.bun !== undefined;
const PIPE_BUF = 4096;
/** /dev/null is the character device 1:3 (Documentation/admin-guide/devices.txt). */
const DEV_NULL = 0x103;
const RETRY_MS = 5;

// Somebody who shares the descriptor made it non-blocking; there is nothing to wait on but time.
const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : String(error);
