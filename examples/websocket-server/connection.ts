// One WebSocket connection on the server's side: the handshake, messages, and a close that waits for the other side.
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { closePayload, FrameReader, OPCODES, serverFrame, type WebSocketFrame } from "./frames.ts";

/** From RFC 6455, section 1.3: it proves that the server supports WebSockets. */
const HANDSHAKE_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** How long the peer may take to answer a close, ms. */
const CLOSE_MS = 5_000;

export type ConnectionEvents = { message(connection: Connection, text: string): void; gone(): void };

export class Connection {
  readonly #socket: Duplex;
  readonly #reader = new FrameReader();
  readonly #events: ConnectionEvents;
  #isClosing = false;

  /** Takes over the socket of an upgrade request and answers the handshake; `gone` is called once, when it has ended. */
  constructor(request: IncomingMessage, socket: Duplex, head: Buffer, events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    const key = request.headers["sec-websocket-key"] ?? "";
    const accept = createHash("sha1")
      .update(key + HANDSHAKE_SUFFIX)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("data", (piece: Buffer) => this.#take(piece));
    socket.on("end", () => socket.end());
    // `close` follows an error too; without a listener the error would end the process.
    socket.on("error", () => {});
    socket.on("close", () => events.gone());
    if (head.length > 0) this.#take(head);
  }

  send(text: string): void {
    if (!this.#isClosing) this.#socket.write(serverFrame(OPCODES.text, text));
  }

  /** Asks the peer to close, with a code for the reason. */
  close(code: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.write(serverFrame(OPCODES.close, closePayload(code)));
    setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref();
  }

  #take(piece: Buffer): void {
    let frames: readonly WebSocketFrame[];
    try {
      frames = this.#reader.push(piece);
    } catch {
      this.#socket.destroy();
      return;
    }
    for (const frame of frames) this.#hear(frame);
  }

  #hear({ opcode, payload }: WebSocketFrame): void {
    if (opcode === OPCODES.ping) this.#socket.write(serverFrame(OPCODES.pong, payload));
    if (opcode === OPCODES.text && !this.#isClosing) this.#events.message(this, payload.toString());
    if (opcode !== OPCODES.close) return;
    // An answer to our close ends the connection; a close of the peer is answered first.
    if (!this.#isClosing) this.#socket.write(serverFrame(OPCODES.close, payload.subarray(0, 2)));
    this.#isClosing = true;
    this.#socket.end();
  }
}
