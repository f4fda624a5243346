// A connection to an einhyrningsins' control socket: a request is a line, and so is its answer.
import { decodeAnswer, encodeRequest } from "../../control/dialects/einhyrningsins.ts";
import { type Channel, connectUnix } from "../../keeper/channel.ts";

/** The connection ended before the answer came. */
export class LostError extends Error {
  override readonly name = "LostError";
  readonly code = "lost";
}

type Waiting = { readonly resolve: (answer: string) => void; readonly reject: (error: Error) => void };

const NEWLINE = "\n";

/** Sends lines, and gives each the answer that comes in its turn. */
export class Connection {
  #channel: Channel | null = null;
  #text = "";
  #isLost = false;
  readonly #decoder = new TextDecoder();
  readonly #waiting: Waiting[] = [];

  /** Throws ChannelError. */
  static async open(path: string): Promise<Connection> {
    const connection = new Connection();
    connection.#channel = await connectUnix(path, {
      data: (bytes) => connection.#take(bytes),
      close: () => connection.#lose(),
    });
    return connection;
  }

  /** Sends a command and gives what it is answered. Throws LostError. */
  ask(command: string, args: readonly string[]): Promise<string> {
    if (this.#isLost) return Promise.reject(lost());
    this.#channel?.write(new TextEncoder().encode(encodeRequest(command, args)));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  close(): void {
    this.#channel?.destroy();
  }

  #take(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    for (let end = this.#text.indexOf(NEWLINE); end >= 0; end = this.#text.indexOf(NEWLINE)) {
      // The answer to `ehlo` ends with a carriage return behind its newline.
      const line = this.#text.slice(0, end).replace(/^\r/, "");
      this.#text = this.#text.slice(end + 1);
      this.#waiting.shift()?.resolve(decodeAnswer(line));
    }
  }

  #lose(): void {
    this.#isLost = true;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(lost());
  }
}

const lost = (): LostError => new LostError("the master has closed the connection");
