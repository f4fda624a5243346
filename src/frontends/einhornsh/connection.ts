// A connection to an einhorn's control socket: numbered requests, each with one or more answers.
import { host } from "#host";
import { AnswerLines, MOST_LINE_BYTES } from "../../control/answer-lines.ts";
import { encodeMessage, parseEinhornAnswer } from "../../control/dialects/einhorn.ts";
import type { Timer } from "../../host/clock.ts";
import { type Channel, connectUnix } from "../../keeper/channel.ts";

/** The connection ended before the last answer came, or the peer is not an einhorn. */
export class LostError extends Error {
  override readonly name = "LostError";
  readonly code = "lost";
}

type Waiting = {
  /** Ends the wait for the first answer, which is due at once. */
  readonly timer: Timer;
  readonly say: (message: string) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

const ANSWER_MS = 15_000;

/** Sends one request at a time, and reads all its answers. */
export class Connection {
  #channel: Channel | null = null;
  #isLost = false;
  #requests = 0;
  readonly #lines = new AnswerLines();
  readonly #waiting = new Map<number, Waiting>();

  /** Throws ChannelError. */
  static async open(path: string): Promise<Connection> {
    const connection = new Connection();
    connection.#channel = await connectUnix(path, {
      data: (bytes) => connection.#take(bytes),
      close: () => connection.#end(lost()),
    });
    return connection;
  }

  /** Sends a command; `say` gets each message, and the promise resolves after the last. Rejects with LostError. */
  ask(
    request: { readonly command: string; readonly args?: readonly string[]; readonly user?: string },
    say: (message: string) => void,
  ): Promise<void> {
    if (this.#isLost) return Promise.reject(lost());
    this.#requests += 1;
    const id = this.#requests;
    this.#channel?.write(new TextEncoder().encode(encodeMessage({ ...request, id })));
    return new Promise((resolve, reject) => {
      const timer = host.clock.after(ANSWER_MS, () => this.#refuse(`no answer within ${ANSWER_MS / 1000} s`));
      this.#waiting.set(id, { say, resolve, reject, timer });
    });
  }

  close(): void {
    this.#channel?.destroy();
  }

  #take(bytes: Uint8Array): void {
    if (this.#isLost) return;
    const lines = this.#lines.take(bytes);
    if (lines === null) return this.#refuse(`a line of more than ${MOST_LINE_BYTES} bytes came`);
    for (const line of lines) this.#answer(line);
  }

  /** The peer is not an einhorn. */
  #refuse(what: string): void {
    this.#end(new LostError(`${what}; is this the control socket of an einhorn?`));
    this.#channel?.destroy();
  }

  #answer(line: string): void {
    if (this.#isLost) return;
    const reply = parseEinhornAnswer(line);
    if (!reply) return this.#refuse("the answer is not in einhorn's protocol");
    const id = Number(reply?.requestId ?? Number.NaN);
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    waiting.timer.cancel();
    waiting.say(reply.message);
    if (reply.wait) return;
    this.#waiting.delete(id);
    waiting.resolve();
  }

  #end(error: LostError): void {
    this.#isLost = true;
    for (const waiting of this.#waiting.values()) {
      waiting.timer.cancel();
      waiting.reject(error);
    }
    this.#waiting.clear();
  }
}

const lost = (): LostError => new LostError("the master closed the connection");
