// A connection to an einhorn's control socket: requests with numbers, and for each one answer or several.
import { encodeMessage, parseEinhornAnswer } from "../../control/dialects/einhorn.ts";
import { type Channel, connectUnix } from "../../keeper/channel.ts";

/** The connection ended before the last answer came. */
export class LostError extends Error {
  override readonly name = "LostError";
  readonly code = "lost";
}

type Waiting = {
  readonly say: (message: string) => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

const NEWLINE = "\n";

/** Asks one thing at a time, and hears all answers to it. */
export class Connection {
  #channel: Channel | null = null;
  #text = "";
  #isLost = false;
  #requests = 0;
  #work: Promise<void> = Promise.resolve();
  readonly #decoder = new TextDecoder();
  readonly #waiting = new Map<number, Waiting>();

  /** Throws ChannelError. */
  static async open(path: string): Promise<Connection> {
    const connection = new Connection();
    connection.#channel = await connectUnix(path, {
      data: (bytes) => connection.#take(bytes),
      close: () => connection.#lose(),
    });
    return connection;
  }

  /** Sends a command; `say` gets each message, and the promise resolves after the last. Rejects with LostError. */
  ask(
    request: { readonly command: string; readonly args?: readonly string[]; readonly user?: string },
    say: (message: string) => Promise<void>,
  ): Promise<void> {
    if (this.#isLost) return Promise.reject(lost());
    this.#requests += 1;
    const id = this.#requests;
    this.#channel?.write(new TextEncoder().encode(encodeMessage({ ...request, id })));
    return new Promise((resolve, reject) => this.#waiting.set(id, { say, resolve, reject }));
  }

  close(): void {
    this.#channel?.destroy();
  }

  #take(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    for (let end = this.#text.indexOf(NEWLINE); end >= 0; end = this.#text.indexOf(NEWLINE)) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      this.#work = this.#work.then(() => this.#answer(line));
    }
  }

  async #answer(line: string): Promise<void> {
    const reply = await parseEinhornAnswer(line);
    const id = Number(reply?.requestId ?? Number.NaN);
    const waiting = this.#waiting.get(id);
    if (!reply || !waiting) return;
    await waiting.say(reply.message);
    if (reply.wait) return;
    this.#waiting.delete(id);
    waiting.resolve();
  }

  #lose(): void {
    this.#isLost = true;
    this.#work = this.#work.then(() => {
      for (const waiting of this.#waiting.values()) waiting.reject(lost());
      this.#waiting.clear();
    });
  }
}

const lost = (): LostError => new LostError("the master has closed the connection");
