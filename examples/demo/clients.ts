// The demo's clients: some hold a WebSocket and send messages, some open a connection for every request. They count what
// happens to their connections, and close every connection in order.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { clientFrame, FrameReader, GOING_AWAY, OPCODES } from "../websocket-server/frames.ts";

/**
 * `answered`: requests with one connection each. `messages`: answered on long connections. `moved`: a stopping server
 * asked a client to reconnect, and it did. `cut`: an answer or a connection ended early, or never came.
 */
export type Counts = {
  answered: number;
  messages: number;
  moved: number;
  refused: number;
  reset: number;
  cut: number;
};

export type ClientsOptions = {
  readonly port: number;
  readonly stays: number;
  /** The interval of messages on each long connection, ms. */
  readonly talkMs: number;
  readonly anew: number;
  /** The pause between two requests of each other client, ms. */
  readonly pauseMs: number;
};

/** A connection without an answer for this time is lost, ms. */
const SILENCE_MS = 20_000;

type Fate = "closed" | "refused" | "reset" | "cut";

export class Clients {
  readonly counts: Counts = { answered: 0, messages: 0, moved: 0, refused: 0, reset: 0, cut: 0 };
  /** Descriptions of the first few failures. */
  readonly problems: string[] = [];
  readonly #options: ClientsOptions;
  readonly #loops: readonly Promise<void>[];
  #isOver = false;
  #staying = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#loops = [
      ...Array.from({ length: options.stays }, (_, index) => this.#stay(index)),
      ...Array.from({ length: options.anew }, () => this.#askAgainAndAgain()),
    ];
  }

  /** How many WebSockets answer at the moment. */
  get staying(): number {
    return this.#staying;
  }

  /** Stops all clients, and waits until their requests are finished. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  async #askAgainAndAgain(): Promise<void> {
    while (!this.#isOver) {
      let text = "";
      const fate = await this.#converse("GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n", (_, piece) => {
        text += piece.toString();
      });
      if (fate !== "closed") this.#note(fate, "a request");
      else if (isWhole(text)) this.counts.answered += 1;
      else this.#note("cut", `a request got ${JSON.stringify(text)}`);
      await pause(this.#options.pauseMs);
    }
  }

  /** Reconnects each time it is asked to. */
  async #stay(index: number): Promise<void> {
    const client = new StayingClient(this.#options.talkMs, {
      greeted: () => {
        this.#staying += 1;
      },
      answered: () => {
        this.counts.messages += 1;
      },
    });
    await pause((index * 1_000) / this.#options.stays);
    while (!this.#isOver) {
      client.begin();
      const fate = await this.#converse(client.request, (socket, piece) => client.hear(socket, piece, this.#isOver));
      client.end();
      if (client.isGreeted) this.#staying -= 1;
      if (client.isSentOn) this.counts.moved += 1;
      else if (!this.#isOver) this.#note(fate === "closed" ? "cut" : fate, "a connection that stays");
    }
  }

  /** Connects, sends `opening`, passes received data on, and reports how the connection ended. */
  #converse(opening: string, hear: (socket: Socket, piece: Buffer) => void): Promise<Fate> {
    return new Promise((resolve) => {
      const socket = connect({ port: this.#options.port, host: "127.0.0.1" }, () => socket.write(opening));
      socket.setTimeout(SILENCE_MS, () => {
        resolve("cut");
        socket.destroy();
      });
      socket.on("data", (piece: Buffer) => hear(socket, piece));
      socket.on("error", (error: NodeJS.ErrnoException) =>
        resolve(error.code === "ECONNREFUSED" ? "refused" : "reset"),
      );
      socket.on("close", () => resolve("closed"));
    });
  }

  #note(fate: Exclude<Fate, "closed">, what: string): void {
    this.counts[fate] += 1;
    if (this.problems.length < 5) this.problems.push(`${fate}: ${what}`);
  }
}

type StayingEvents = { greeted(): void; answered(): void };

/** The state of one long-lived client over all its connections. Unanswered messages are repeated on the next one. */
class StayingClient {
  isGreeted = false;
  isSentOn = false;
  readonly #talkMs: number;
  readonly #events: StayingEvents;
  #reader = new FrameReader();
  /** The bytes of the handshake's answer until it is complete. */
  #handshake: string | null = "";
  #timer: ReturnType<typeof setInterval> | undefined;
  #number = 0;
  #isUnanswered = false;

  constructor(talkMs: number, events: StayingEvents) {
    this.#talkMs = talkMs;
    this.#events = events;
  }

  readonly request = [
    "GET / HTTP/1.1",
    "Host: demo",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    "\r\n",
  ].join("\r\n");

  begin(): void {
    this.isGreeted = false;
    this.isSentOn = false;
    this.#reader = new FrameReader();
    this.#handshake = "";
  }

  end(): void {
    clearInterval(this.#timer);
  }

  hear(socket: Socket, piece: Buffer, isOver: boolean): void {
    const frames = this.#reader.push(this.#afterHandshake(piece));
    for (const { opcode, payload } of frames) {
      if (opcode === OPCODES.text) this.#hearText(socket, payload.toString());
      if (opcode === OPCODES.close) {
        clearInterval(this.#timer);
        this.isSentOn = payload.readUInt16BE(0) === GOING_AWAY;
        socket.write(clientFrame(OPCODES.close, payload));
      }
    }
    if (isOver) socket.end();
  }

  #afterHandshake(piece: Buffer): Buffer {
    if (this.#handshake === null) return piece;
    const before = this.#handshake.length;
    this.#handshake += piece.toString("latin1");
    const end = this.#handshake.indexOf("\r\n\r\n");
    if (end === -1) return Buffer.alloc(0);
    this.#handshake = null;
    return piece.subarray(end + 4 - before);
  }

  #hearText(socket: Socket, text: string): void {
    if (this.isGreeted) {
      if (!text.endsWith(` ${this.#number}`)) return;
      this.#isUnanswered = false;
      this.#events.answered();
      return;
    }
    this.isGreeted = true;
    this.#events.greeted();
    if (this.#isUnanswered) this.#say(socket);
    this.#timer = setInterval(() => {
      if (this.#isUnanswered) return;
      this.#number += 1;
      this.#isUnanswered = true;
      this.#say(socket);
    }, this.#talkMs);
  }

  #say(socket: Socket): void {
    socket.write(clientFrame(OPCODES.text, String(this.#number)));
  }
}

/** Whether an HTTP answer is complete. The example server sends its length. */
const isWhole = (text: string): boolean => {
  const end = text.indexOf("\r\n\r\n");
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  return end !== -1 && length !== undefined && text.length === end + 4 + Number(length);
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
