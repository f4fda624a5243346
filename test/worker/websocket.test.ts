// Servers of `ws` that use crank/worker, replaced by a real crank while clients keep their WebSockets.
import { afterEach, describe, expect, test } from "bun:test";
import { waitFor } from "../e2e/harness/wait.ts";
import { Deployment } from "./deployment.ts";
import { RUNTIMES } from "./runtimes.ts";

let service: Deployment | undefined;
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  await service?.bench.clean();
});

/** Longer than any test, so that its end causes nothing. */
const FOR_EVER_MS = 3_600_000;

class Client {
  heard: string[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;
  readonly socket: WebSocket;

  constructor(port: number) {
    clients.push(this);
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    this.socket.onmessage = ({ data }) => this.heard.push(String(data));
    this.socket.onclose = ({ code, reason }) => {
      this.closed = { code, reason };
    };
  }

  async hears(text: string): Promise<void> {
    await waitFor(`${text} after ${this.heard}`, () => this.heard.includes(text));
  }
}

const connected = async (port: number, count: number): Promise<readonly Client[]> => {
  const all = Array.from({ length: count }, () => new Client(port));
  for (const client of all) await client.hears("hello");
  return all;
};

describe.each([...RUNTIMES.keys()])("on %s", (runtime) => {
  test("WebSockets are closed with the configured code, and their clients reach the new worker", async () => {
    service = new Deployment(runtime, "ws");
    await service.start({ drain: { spreadMs: 200, closeCode: 1012, reason: "a new version" } });
    const old = await connected(service.port, 20);
    await service.deploy(2);
    await waitFor("all WebSockets to be closed", () => old.every(({ closed }) => closed !== null));
    for (const { closed } of old) expect(closed).toEqual({ code: 1012, reason: "a new version" });
    expect(await service.drained()).toBe("drained: 20 clients, 0 cut off");
    const [fresh] = await connected(service.port, 1);
    fresh?.socket.send("x");
    await fresh?.hears("2 x");
  });

  test("WebSockets are closed one after the other, and served until then", async () => {
    service = new Deployment(runtime, "ws");
    await service.start({ drain: { spreadMs: FOR_EVER_MS } });
    const old = await connected(service.port, 5);
    await service.deploy(2);
    await waitFor("the first to be closed", () => old.some(({ closed }) => closed));
    const others = old.filter(({ closed }) => !closed);
    expect(others).toHaveLength(4);
    expect(old.find(({ closed }) => closed)?.closed?.code).toBe(1001);
    for (const client of others) {
      client.socket.send("still here");
      await client.hears("1 still here");
      client.socket.close();
    }
    expect(await service.drained()).toBe("drained: 5 clients, 0 cut off");
  });

  test("a WebSocket whose client does not answer the close is cut off after the grace time", async () => {
    service = new Deployment(runtime, "ws");
    await service.start({ drain: { graceMs: 50 } });
    const deaf = await service.talk();
    const handshake = ["GET / HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"];
    const keys = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
    deaf.say(`${[...handshake, ...keys].join("\r\n")}\r\n\r\n`);
    await deaf.hears("hello");
    await service.deploy(2);
    await deaf.isEnded();
    expect(await service.drained()).toBe("drained: 1 clients, 0 cut off");
  });
});

test("a spread longer than crank's stop timeout is shortened, and no client is cut off", async () => {
  service = new Deployment("Bun", "ws");
  const flags = ["-env", "STOP_TIMEOUT_USEC=5000000"];
  await service.start({ drain: { spreadMs: FOR_EVER_MS, graceMs: 500 }, flags });
  const old = await connected(service.port, 2);
  await service.deploy(2);
  await waitFor("both to be closed", () => old.every(({ closed }) => closed));
  expect(old.map(({ closed }) => closed?.code)).toEqual([1001, 1001]);
  expect(await service.drained()).toBe("drained: 2 clients, 0 cut off");
});
