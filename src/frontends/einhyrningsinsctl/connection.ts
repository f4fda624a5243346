// A connection to an einhyrningsins' control socket: requests and answers are lines.
import { host } from "#host";
import { AnswerLines, MOST_LINE_BYTES } from "../../control/answer-lines.ts";
import { decodeAnswer, encodeRequest } from "../../control/dialects/einhyrningsins.ts";
import type { Timer } from "../../host/clock.ts";
import { type Channel, connectUnix } from "../../keeper/channel.ts";

/** The connection ended before the answer came, or the peer is not an einhyrningsins. */
export class LostError extends Error {
  override readonly name = "LostError";
  readonly code = "lost";
}

type Waiting = {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
};

const ANSWER_MS = 15_000;

/** Sends lines, and resolves each with its answer, in order. */
export class Connection {
  #channel: Channel | null = null;
  #isLost = false;
  readonly #lines = new AnswerLines();
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

  /** Sends a command and returns the answer. Throws LostError. */
  ask(command: string, args: readonly string[]): Promise<string> {
    if (this.#isLost) return Promise.reject(lost());
    this.#channel?.write(new TextEncoder().encode(encodeRequest(command, args)));
    return new Promise((resolve, reject) => {
      const timer = host.clock.after(ANSWER_MS, () => this.#refuse(`no answer within ${ANSWER_MS / 1000} s`));
      this.#waiting.push({ resolve, reject, timer });
    });
  }

  close(): void {
    this.#channel?.destroy();
  }

  #take(bytes: Uint8Array): void {
    if (this.#isLost) return;
    const lines = this.#lines.take(bytes);
    if (lines === null) return this.#refuse(`a line of more than ${MOST_LINE_BYTES} bytes came`);
    for (const line of lines) {
      const waiting = this.#waiting.shift();
      waiting?.timer.cancel();
      // The answer to `ehlo` ends with a carriage return after its newline.
      waiting?.resolve(decodeAnswer(line.replace(/^\r/, "")));
    }
  }

  /** The peer is not an einhyrningsins. */
  #refuse(what: string): void {
    this.#end(new LostError(`${what}; is this the control socket of an einhyrningsins?`));
    this.#channel?.destroy();
  }

  #lose(): void {
    this.#end(lost());
  }

  #end(error: LostError): void {
    this.#isLost = true;
    for (const waiting of this.#waiting.splice(0)) {
      waiting.timer.cancel();
      waiting.reject(error);
    }
  }
}

const lost = (): LostError => new LostError("the master closed the connection");
