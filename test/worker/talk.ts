// A client's connection in a test: what it says is written here byte by byte, and what it hears is kept.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { waitFor } from "../e2e/harness/service.ts";

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

  /** Connects, behind TLS if asked to; resolves when the connection stands. */
  static async open(port: number, transport: "plain" | "TLS"): Promise<Talk> {
    const host = "127.0.0.1";
    const socket = transport === "plain" ? connect(port, host) : connectTls({ port, host, rejectUnauthorized: false });
    const talk = new Talk(socket);
    await once(socket, transport === "plain" ? "connect" : "secureConnect");
    return talk;
  }

  /** The client's own port. */
  get port(): number {
    return this.#socket.localPort ?? Number.NaN;
  }

  say(text: string): void {
    this.#socket.write(text);
  }

  /** Asks for a path over HTTP/1.1, leaving the connection open. */
  request(path: string): void {
    this.say(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  async hears(text: string): Promise<void> {
    await waitFor(`${JSON.stringify(text)} after ${JSON.stringify(this.heard)}`, () => this.heard.includes(text));
  }

  async isEnded(): Promise<"closed" | "reset"> {
    return waitFor(`the end of a connection that heard ${JSON.stringify(this.heard)}`, () =>
      this.ending === "open" ? null : this.ending,
    );
  }

  /** Reads nothing any more, until it goes on. */
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
