// What only a real keeper can show about the clients of its sockets: how long they wait, and how much of their input is held.

import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { LIMITS } from "../../../src/keeper/protocol.ts";
import { internetAddress } from "../../../src/supervisor/os/sockaddr.ts";
import { attached, commit, expectEvent } from "../harness/keeper-under-test.ts";
import { python, realKeepers } from "./real-keepers.ts";

const decoder = new TextDecoder();

const CONTROL = 2;

const fresh = realKeepers();

describe("connections", () => {
  test("are closed when their unread output reaches the limit", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send(keeper.controlSocket(CONTROL), { kind: "acceptOn", handle: CONTROL }, commit(0));
    await expectEvent(end, "opened");
    const program = `import socket, time
s = socket.socket(socket.AF_UNIX); s.connect(${JSON.stringify(join(keeper.home, "control"))}); s.send(b'hello\\n'); time.sleep(600)`;
    end.send(python(keeper, 1, program), commit(1));
    const spawned = await expectEvent(end, "spawned");
    const line = await expectEvent(end, "line");
    expect(line.pid).toBe(spawned.pid);
    const bytes = new Uint8Array(1024 * 1024).fill(120);
    for (let sent = 0; sent <= LIMITS.connectionOutputBytes; sent += bytes.length)
      end.send({ kind: "write", connection: line.connection, bytes, close: 0 }, commit(line.seq));
    expect(await expectEvent(end, "closed")).toMatchObject({ connection: line.connection, reason: 3 });
  });

  test("that send more than is consumed wait and lose nothing", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send(keeper.controlSocket(CONTROL), { kind: "acceptOn", handle: CONTROL }, commit(0));
    await expectEvent(end, "opened");
    const client = await keeper.connect();
    const count = 3000;
    client.send(Array.from({ length: count }, (_, number) => `${number}\n`).join(""));
    for (let number = 0; number < count; number++) {
      const line = await expectEvent(end, "line");
      expect(decoder.decode(line.bytes)).toBe(String(number));
      // Consumes only when so many lines are outstanding that the keeper has stopped reading.
      if (number % 64 === 63) end.send(commit(line.seq));
    }
  });
});

/** A keeper that accepts connections on a unix and a tcp socket, with a supervisor that consumes no event. */
const withListeners = async () => {
  const keeper = await fresh();
  const { end } = await attached(keeper);
  const { bytes: address } = internetAddress("127.0.0.1", 0);
  const tcp = { ...keeper.controlSocket(STRANGERS), domain: AF_INET, address };
  end.send(
    keeper.controlSocket(CONTROL),
    { kind: "acceptOn", handle: CONTROL },
    tcp,
    { kind: "acceptOn", handle: STRANGERS },
    commit(0),
  );
  await expectEvent(end, "opened");
  const opened = await expectEvent(end, "opened");
  end.send(commit(opened.seq));
  const port = new DataView(opened.address.buffer, opened.address.byteOffset).getUint16(2);
  return { keeper, end, port };
};
const STRANGERS = 3;
const AF_INET = 2;

describe("connections that wait", () => {
  test("because the queue of lines is full continue when it has room, although others hold incomplete lines", async () => {
    const { keeper, end } = await withListeners();
    const large = `${"x".repeat(LIMITS.lineBytes)}\n`;
    for (let sent = 0; sent < 36; sent++) (await keeper.connect()).send(large);
    const first = await expectEvent(end, "line");
    let last = first;
    for (let heard = 1; heard < 32; heard++) {
      last = await expectEvent(end, "line");
      // It answers all the time without consuming: under the sanitizers this takes longer than the keeper's time limit for an answer.
      end.send(commit(first.seq - 1));
    }
    for (let halves = 0; halves < 20; halves++) (await keeper.connect()).send("hal");
    for (let small = 0; small < 20; small++) (await keeper.connect()).send("small\n");
    // Everything is read before anything is consumed.
    await Bun.sleep(300);
    end.send(commit(last.seq));
    const heard: number[] = [];
    for (let waiting = 0; waiting < 36 - 32 + 20; waiting++) {
      heard.push((await expectEvent(end, "line")).bytes.length);
      end.send(commit(last.seq));
    }
    expect(heard.filter((length) => length === 5).length).toBe(20);
  });

  test("from other users have a share of the queue, and the owner's line waits for that share at most", async () => {
    const { keeper, end, port } = await withListeners();
    const strangers = Array.from({ length: 60 }, () => connect(port, "127.0.0.1"));
    for (const stranger of strangers) stranger.on("error", () => {}).write("me\n".repeat(200));
    await expectEvent(end, "line");
    await Bun.sleep(300);
    const owner = await keeper.connect();
    owner.send("owner\n");
    let ahead = 1;
    let line = await expectEvent(end, "line");
    for (; decoder.decode(line.bytes) !== "owner"; line = await expectEvent(end, "line")) ahead++;
    expect(ahead).toBeLessThanOrEqual(16);
    // All their lines arrive in the end, with the connections taking turns.
    const heard = new Map<number, number>();
    for (let consumed = ahead; consumed < strangers.length * 200; consumed++) {
      end.send(commit(line.seq));
      line = await expectEvent(end, "line");
      heard.set(line.connection, (heard.get(line.connection) ?? 0) + 1);
      if (consumed === 600) expect(heard.size).toBe(strangers.length);
    }
    for (const stranger of strangers) stranger.destroy();
  });

  test("from other users can buffer little before their first line is complete", async () => {
    const { port, end } = await withListeners();
    const stranger = connect(port, "127.0.0.1");
    stranger.on("error", () => {}).write("x".repeat(LIMITS.lineBytes));
    await new Promise((resolve) => stranger.on("close", resolve));
    const other = connect(port, "127.0.0.1");
    other.on("error", () => {}).write(`hello\n${"x".repeat(LIMITS.lineBytes)}\n`);
    expect((await expectEvent(end, "line")).bytes.length).toBe(5);
    expect((await expectEvent(end, "line")).bytes.length).toBe(LIMITS.lineBytes);
    other.destroy();
  });
});
