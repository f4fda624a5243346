// A client's connection in a test: it sends exact bytes, and keeps what it receives.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { waitFor } from "./wait.ts";

export class Talk {
  heard = "";
  ending: "open" | "closed" | "reset" = "open";
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.heard += bytes.toString("latin1");
    });
    socket.on("error", () => {
      this.ending = "reset";
    });
    socket.on("close", () => {
      if (this.ending === "open") this.ending = "closed";
    });
  }

  /**
   * Connects to a port or to the path of a unix socket, over TLS if asked to; resolves when the connection is established.
   */
  static async open(where: number | string, transport: "plain" | "TLS" = "plain"): Promise<Talk> {
    const target = typeof where === "string" ? { path: where } : { port: where, host: "127.0.0.1" };
    const socket = transport === "plain" ? connect(target) : connectTls({ ...target, rejectUnauthorized: false });
    const talk = new Talk(socket);
    await once(socket, transport === "plain" ? "connect" : "secureConnect");
    return talk;
  }

  /** The client's own port. */
  get port(): number {
    return this.#socket.localPort ?? Number.NaN;
  }

  /** The complete lines received. */
  get lines(): string[] {
    return this.heard.split("\n").slice(0, -1);
  }

  say(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** Requests a path over HTTP/1.1, and leaves the connection open. */
  request(path: string): void {
    this.say(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  async hears(text: string): Promise<void> {
    await waitFor(`${JSON.stringify(text)} after ${JSON.stringify(this.heard)}`, () => this.heard.includes(text));
  }

  /** Waits for this many complete lines. Returns all that came. */
  async hearsLines(count: number): Promise<string[]> {
    return waitFor(`${count} lines`, () => this.lines.length >= count && this.lines);
  }

  async isEnded(): Promise<"closed" | "reset"> {
    return waitFor(`the end of a connection that heard ${JSON.stringify(this.heard)}`, () =>
      this.ending === "open" ? null : this.ending,
    );
  }

  /** Stops reading until it is resumed. */
  holdBack(): void {
    this.#socket.pause();
  }

  goOn(): void {
    this.#socket.resume();
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}
