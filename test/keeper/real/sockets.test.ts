// A real keeper's sockets, and the connections on its control socket.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { connect } from "node:net";
import { describeAddress, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "../../../src/supervisor/os/sockaddr.ts";
import {
  bytesOf,
  DrivenKeeper,
  openTcp,
  openUnix,
  python,
  sh,
  textOf,
  until,
  untilThere,
} from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

describe("sockets", () => {
  test("of every kind are opened, bound and reported with their address", async () => {
    await keeper.start();
    keeper.commit([
      openTcp(1, "127.0.0.1"),
      openTcp(2, "::1"),
      openTcp(3, "::", [41, 26, 0]),
      openUnix(4, keeper.path("s"), SOCK_STREAM, 0o640),
      openUnix(5, keeper.path("p"), SOCK_SEQPACKET),
      openUnix(6, keeper.path("d"), SOCK_DGRAM),
    ]);
    for (const handle of [1, 2, 3, 4, 5, 6]) {
      const opened = await keeper.event("opened");
      expect(opened).toMatchObject({ handle, listening: handle === 6 ? 0 : 1 });
      if (handle <= 3) expect(describeAddress(opened.address)).toHaveProperty("port", expect.any(Number));
    }
    expect(statSync(keeper.path("s")).mode & 0o777).toBe(0o640);
  });

  test("of both stacks accept IPv4 and IPv6, v6only ones accept only IPv6", async () => {
    await keeper.start();
    keeper.commit([openTcp(1, "::", [41, 26, 0]), openTcp(2, "::", [41, 26, 1])]);
    const reach = async (): Promise<boolean> => {
      const { address } = await keeper.event("opened");
      const { port } = describeAddress(address) as { port: number };
      return new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
        socket.on("connect", () => socket.destroy());
      });
    };
    expect([await reach(), await reach()]).toEqual([true, false]);
  });

  test("that cannot be opened report the step and the error", async () => {
    await keeper.start();
    keeper.commit([
      openTcp(1, "192.0.2.1"),
      openUnix(2, keeper.path("missing/s"), SOCK_STREAM),
      { ...openTcp(3, "127.0.0.1"), type: 77 },
      { kind: "inheritSocket", handle: 4, fd: 500, backlog: 1 },
    ]);
    expect(await keeper.event("failed")).toMatchObject({ id: 1, step: "bind", errno: 99 });
    expect(await keeper.event("failed")).toMatchObject({ id: 2, step: "bind", errno: 2 });
    expect(await keeper.event("failed")).toMatchObject({ id: 3, step: "socket" });
    expect(await keeper.event("failed")).toMatchObject({ id: 4, errno: 9 });
  });

  test("report how full their accept queues are", async () => {
    await keeper.start();
    keeper.commit([openUnix(1, keeper.path("s"), SOCK_STREAM), openTcp(2, "127.0.0.1")]);
    await keeper.event("opened");
    const tcp = describeAddress((await keeper.event("opened")).address) as { port: number };
    const waiting = [connect(keeper.path("s")), connect(keeper.path("s")), connect(tcp.port, "127.0.0.1")];
    await Promise.all(waiting.map((socket) => new Promise((done) => socket.once("connect", done))));
    keeper.commit([
      { kind: "statSocket", request: 1, handle: 1 },
      { kind: "statSocket", request: 2, handle: 2 },
    ]);
    expect(await keeper.event("socketStat")).toMatchObject({ request: 1, queue: 2, limit: 16 });
    expect(await keeper.event("socketStat")).toMatchObject({ request: 2, queue: 1, limit: 16 });
    for (const socket of waiting) socket.destroy();
  });

  test("report their inode in /proc and their backlog", async () => {
    await keeper.start();
    keeper.commit([
      openUnix(1, keeper.path("s"), SOCK_STREAM),
      openTcp(2, "127.0.0.1"),
      openUnix(3, keeper.path("d"), SOCK_DGRAM),
    ]);
    for (const limit of [16, 16, 0]) {
      const { inode, limit: told } = await keeper.event("opened");
      expect(told).toBe(limit);
      const fds = readdirSync(`/proc/${keeper.pid}/fd`);
      expect(fds.map((fd) => readlinkSync(`/proc/${keeper.pid}/fd/${fd}`))).toContain(`socket:[${inode}]`);
    }
  });

  test("whose backlog a worker has shortened get it back, with an event; others are not changed", async () => {
    const done = keeper.path("done");
    const shorten = `import socket, time
for fd in (3, 4): socket.socket(fileno=fd).listen(2)
open(${JSON.stringify(done)}, "w")
time.sleep(600)`;
    await keeper.start();
    const descriptors = [1, 3, 2, 4];
    keeper.commit([
      openUnix(1, keeper.path("s"), SOCK_STREAM),
      openTcp(2, "127.0.0.1"),
      openTcp(5, "127.0.0.1"),
      plainSpawn(1, python(shorten), { descriptors }),
    ]);
    await keeper.eventually("spawned");
    await untilThere(done);
    keeper.commit([1, 2, 5, 99].map((handle) => ({ kind: "keepBacklog", handle, backlog: 16 })));
    expect(await keeper.event("backlogRestored")).toMatchObject({ handle: 1, before: 2, after: 16 });
    expect(await keeper.event("backlogRestored")).toMatchObject({ handle: 2, before: 2, after: 16 });
    keeper.commit([{ kind: "statSocket", request: 1, handle: 2 }]);
    expect(await keeper.event("socketStat")).toMatchObject({ limit: 16 });
  });

  test("that a worker shuts down listen again on the same port", async () => {
    await keeper.start();
    keeper.commit([
      openTcp(1, "127.0.0.1"),
      plainSpawn(
        1,
        ["/usr/bin/env", "python3", "-c", "import socket,time;s=socket.socket(fileno=3);s.shutdown(2);time.sleep(600)"],
        { descriptors: [1, 3] },
      ),
    ]);
    const { port } = describeAddress((await keeper.event("opened")).address) as { port: number };
    expect(await keeper.eventually("relistened")).toMatchObject({ handle: 1, errno: 0 });
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve();
      }).on("error", reject);
    });
  });
});

describe("control connections", () => {
  beforeEach(async () => {
    await keeper.start();
    keeper.commit([openUnix(1, keeper.path("c"), SOCK_STREAM), { kind: "acceptOn", handle: 1 }]);
    await keeper.event("opened");
  });

  test("deliver whole lines with their sender, take answers, and report their end", async () => {
    const client = connect(keeper.path("c"), () => client.write("one\ntw"));
    let heard = "";
    client.on("data", (chunk) => {
      heard += chunk.toString();
    });
    const line = await keeper.event("line");
    keeper.commit([]);
    expect(line).toMatchObject({ listener: 1, pid: process.pid, uid: process.getuid?.() ?? 0 });
    expect(textOf(line.bytes)).toBe("one");
    keeper.commit([{ kind: "write", connection: line.connection, bytes: bytesOf("answer\n"), close: 0 }]);
    await until("the answer", () => heard === "answer\n");
    client.write("o\n");
    expect(textOf((await keeper.event("line")).bytes)).toBe("two");
    client.destroy();
    expect(await keeper.event("closed")).toMatchObject({ connection: line.connection, reason: 0 });
  });

  test("outlive the supervisor with an incomplete line", async () => {
    const client = connect(keeper.path("c"), () => client.write("a\nhal"));
    const { connection } = await keeper.event("line");
    keeper.commit([]);
    const messages = await keeper.replaceSupervisor();
    expect(messages.filter((message) => message.kind === "helloConnection")).toMatchObject([
      { connection, listener: 1 },
    ]);
    keeper.attach();
    client.write("f\n");
    expect(textOf((await keeper.eventually("line")).bytes)).toBe("half");
    client.destroy();
  });

  test("with too long a line are closed", async () => {
    const client = connect(keeper.path("c"), () => client.write("a\n"));
    client.on("error", () => {});
    await keeper.event("line");
    keeper.commit([]);
    client.write("x".repeat(2 * 1024 * 1024));
    expect(await keeper.event("closed")).toMatchObject({ reason: 2 });
  });

  test("follow the output, starting with the last lines", async () => {
    keeper.commit([plainSpawn(1, sh("echo one; echo two; read x; echo three; exec sleep 600"), { descriptors: [] })]);
    await keeper.event("spawned");
    await until("both lines", () => keeper.keeper.output().includes("two\n"));
    const client = connect(keeper.path("c"), () => client.write("logs\n"));
    let heard = "";
    client.on("data", (chunk) => {
      heard += chunk.toString();
    });
    const { connection } = await keeper.eventually("line");
    keeper.commit([{ kind: "follow", connection, worker: 1, lines: 1, follow: 0 }]);
    await until("the end of it", () => heard.includes("logEnd"));
    const lines = heard
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.method)).toContain("log");
    expect(lines.at(-1)).toMatchObject({ method: "logEnd" });
    client.destroy();
  });
});
