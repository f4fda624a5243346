// The exchange between a real keeper and its supervisors: hellos, batches, events, sleep and death.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { constants } from "node:os";
import { COMMANDS, type Command, PROTOCOL_VERSION } from "../../../src/keeper/protocol.ts";
import { AF_UNIX, SOCK_STREAM, unixAddress } from "../../../src/supervisor/os/sockaddr.ts";
import { bytesOf, DrivenKeeper, openTcp, openUnix, sh, textOf, until } from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";

const ATTEMPTS = 10;
const AT_ONCE = 60;
const { SIGSTOP, SIGCONT } = constants.signals;

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

describe("a hello", () => {
  test("has the keeper's pid, its arguments, and that it is fresh", async () => {
    await keeper.start({ args: ["-a", "b c"], attach: "no" });
    const [hello] = keeper.hello;
    expect(hello).toMatchObject({
      kind: "hello",
      protocol: PROTOCOL_VERSION,
      pid: keeper.pid,
      cwd: keeper.directory,
      args: ["-a", "b c"],
      program: "crank",
      fresh: 1,
      crashes: 0,
      consumed: 0,
    });
  });

  test("has the journal, the workers and the open handles", async () => {
    await keeper.start();
    keeper.commit([
      { kind: "put", key: "a", value: bytesOf("1") },
      { kind: "put", key: "b", value: bytesOf("2") },
      { kind: "put", key: "a", value: bytesOf("3") },
      { kind: "remove", key: "b" },
      openTcp(7, "127.0.0.1"),
      plainSpawn(4, ["/bin/sleep", "600"]),
    ]);
    await keeper.event("opened");
    const { pid, startTime } = await keeper.event("spawned");
    keeper.commit([]);
    const messages = await keeper.replaceSupervisor();
    expect(
      messages.filter((message) => message.kind === "helloEntry").map((entry) => [entry.key, textOf(entry.value)]),
    ).toEqual([["a", "3"]]);
    expect(messages.filter((message) => message.kind === "helloWorker")).toMatchObject([
      { worker: 4, pid, startTime, state: 1 },
    ]);
    expect(messages.filter((message) => message.kind === "helloHandle")).toMatchObject([{ handle: 7 }]);
    expect(messages[0]).toMatchObject({ fresh: 0, crashes: 1 });
  });
});

describe("a batch", () => {
  test("is applied as a whole, and not before its commit", async () => {
    await keeper.start();
    keeper.end.send({ kind: "put", key: "k", value: bytesOf("v") }, { kind: "barrier", token: 1 });
    let messages = await keeper.replaceSupervisor();
    expect(messages.some((message) => message.kind === "helloEntry")).toBe(false);
    keeper.attach();
    await keeper.event("supervisorDied");
    keeper.commit([
      { kind: "put", key: "k", value: bytesOf("v") },
      { kind: "barrier", token: 2 },
    ]);
    expect(await keeper.event("reached")).toMatchObject({ token: 2 });
    keeper.commit([]);
    messages = await keeper.replaceSupervisor();
    expect(messages.some((message) => message.kind === "helloEntry")).toBe(true);
  });

  test("among many does not delay a client's line until the last is applied", async () => {
    await keeper.start();
    keeper.commit([openUnix(1, keeper.path("c"), SOCK_STREAM), { kind: "acceptOn", handle: 1 }]);
    await keeper.event("opened");
    // The kernel's scheduler decides which comes first, so there are several attempts.
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const first = 1 + attempt * AT_ONCE;
      const speaker = plainSpawn(first, sh("echo x >&5; exec sleep 600"), {
        connectFd: 5,
        connectPath: keeper.path("c"),
      });
      const others = Array.from({ length: AT_ONCE - 1 }, (_, index) =>
        plainSpawn(first + 1 + index, ["/bin/sleep", "600"]),
      );
      const last = { kind: "mark", token: 1 } as const;
      const consumed = keeper.consumed;
      // The keeper finds all of them at once.
      keeper.keeper.signal(SIGSTOP);
      keeper.end.send(
        ...[speaker, ...others, last].flatMap((command): Command[] => [
          command,
          { kind: "commit", consumed, tickAt: 0 },
        ]),
      );
      await Bun.sleep(50);
      keeper.keeper.signal(SIGCONT);
      const kinds: string[] = [];
      while (kinds.length < AT_ONCE + 2) {
        const { kind } = await keeper.next();
        // SIGCONT is reported as well.
        if (kind !== "signalled") kinds.push(kind);
      }
      keeper.commit([]);
      console.error(attempt, kinds.join(" "));
      if (kinds.indexOf("line") < kinds.indexOf("reached")) return;
    }
    throw new Error("each time the line came behind the last batch");
  }, 60_000);

  test("with a failing command continues, and the failure is an event", async () => {
    await keeper.start();
    keeper.commit([
      { kind: "closeHandle", handle: 99 },
      { kind: "statSocket", request: 5, handle: 99 },
      { kind: "barrier", token: 1 },
    ]);
    expect(await keeper.eventually("failed")).toMatchObject({ command: COMMANDS.statSocket.code, id: 5 });
    expect(await keeper.eventually("reached")).toMatchObject({ token: 1 });
  });

  test("with an unknown frame ends that supervisor and nothing else", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, ["/bin/sleep", "600"])]);
    await keeper.event("spawned");
    keeper.end.sendBytes(new Uint8Array([1, 0, 0, 0, 250]));
    await keeper.nextLife();
    keeper.attach();
    expect(await keeper.eventually("supervisorDied")).toBeDefined();
  });
});

describe("events", () => {
  test("are delivered again to each new supervisor until they are consumed", async () => {
    await keeper.start();
    keeper.commit([{ kind: "barrier", token: 11 }]);
    const first = await keeper.event("reached");
    await keeper.replaceSupervisor();
    keeper.attach();
    const again = await keeper.event("reached");
    expect(again).toMatchObject({ token: 11, seq: first.seq, happenedAt: first.happenedAt });
    expect(again.deliveredAt).toBeGreaterThanOrEqual(first.deliveredAt);
    expect((await keeper.event("supervisorDied")).seq).toBeGreaterThan(first.seq);
  });

  test("of one worker arrive in order: spawned, its datagrams, exited with its last lines", async () => {
    await keeper.start();
    const script = `echo last words; exec python3 -c "import os,socket;s=socket.socket(fileno=3);s.send(b'READY=1');os._exit(7)"`;
    keeper.commit([plainSpawn(1, sh(script), { notifyFd: 3 })]);
    const { pid } = await keeper.event("spawned");
    expect(await keeper.event("datagram")).toMatchObject({ worker: 1, source: 0, pid });
    const exited = await keeper.event("exited");
    expect(exited).toMatchObject({ worker: 1, pid, ending: 0, status: 7 });
    expect(textOf(exited.tail)).toBe("last words\n");
  });

  test("include a tick once, when it is due and no other event is waiting", async () => {
    await keeper.start();
    const [hello] = keeper.hello;
    if (hello?.kind !== "hello") throw new Error("no hello");
    keeper.commit([{ kind: "barrier", token: 1 }], hello.now);
    expect((await keeper.next()).kind).toBe("reached");
    keeper.commit([], hello.now);
    const tick = await keeper.event("tick");
    expect(tick.happenedAt).toBeGreaterThanOrEqual(hello.now);
    keeper.commit([{ kind: "barrier", token: 2 }]);
    expect(await keeper.event("reached")).toMatchObject({ token: 2 });
  });

  test("report signals to the keeper with their sender", async () => {
    await keeper.start();
    process.kill(keeper.pid, "SIGHUP");
    expect(await keeper.event("signalled")).toMatchObject({
      signal: 1,
      pid: process.pid,
      uid: process.getuid?.() ?? 0,
    });
  });
});

describe("sleep", () => {
  test("is allowed when no newer event is queued, and the next event starts a supervisor", async () => {
    await keeper.start();
    keeper.commit([{ kind: "barrier", token: 1 }]);
    const { seq } = await keeper.event("reached");
    keeper.commit([]);
    keeper.end.send({ kind: "idle", seen: seq });
    expect((await keeper.next()).kind).toBe("sleep");
    await keeper.end.leave();
    process.kill(keeper.pid, "SIGHUP");
    const messages = await keeper.nextLife();
    expect(messages[0]).toMatchObject({ crashes: 0 });
    keeper.attach();
    expect(await keeper.event("signalled")).toMatchObject({ signal: 1 });
  });

  test("is not allowed while an event is outstanding", async () => {
    await keeper.start();
    keeper.commit([{ kind: "barrier", token: 1 }]);
    keeper.end.send({ kind: "idle", seen: 0 });
    expect((await keeper.next()).kind).toBe("reached");
    keeper.commit([{ kind: "barrier", token: 2 }]);
    expect((await keeper.next()).kind).toBe("reached");
  });
});

describe("the supervisor", () => {
  test("that crashes repeatedly on one client's line has that line quarantined, and the rest is served", async () => {
    await keeper.start();
    keeper.commit([openUnix(1, keeper.path("c"), SOCK_STREAM), { kind: "acceptOn", handle: 1 }]);
    await keeper.event("opened");
    keeper.commit([]);
    const client = connect(keeper.path("c"), () => client.write("poison\n"));
    for (let death = 0; death < 12; death++) {
      const message = await keeper.next();
      if (message.kind === "quarantined") {
        expect(textOf(message.bytes)).toContain("poison");
        client.destroy();
        return;
      }
      if (message.kind !== "line") {
        keeper.commit([]);
        continue;
      }
      await keeper.end.crash();
      await keeper.nextLife();
      keeper.attach();
    }
    throw new Error("the line was never set aside");
  });

  test("has its heartbeat sent as long as it consumes events", async () => {
    await keeper.start();
    const code = `import socket
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(${JSON.stringify(keeper.path("w"))})
for n in range(3): print(s.recv(99).decode(),flush=True)`;
    const watchdog = Bun.spawn(["python3", "-c", code], { stdout: "pipe" });
    await until("the watchdog", () => existsSync(keeper.path("w")));
    keeper.commit([
      { kind: "openDatagram", handle: 2, domain: AF_UNIX, address: unixAddress(keeper.path("w")) },
      { kind: "heartbeat", handle: 2, periodMs: 20, bytes: bytesOf("WATCHDOG=1") },
    ]);
    expect(await new Response(watchdog.stdout).text()).toBe("WATCHDOG=1\n".repeat(3));
  });

  test("can change the base environment of later workers", async () => {
    await keeper.start({ env: { OLD: "1" } });
    keeper.commit([{ kind: "setBase", env: [["NEW", "2"]], unset: ["OLD"] }, plainSpawn(1, ["/bin/sleep", "600"])]);
    const { pid } = await keeper.event("spawned");
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    expect(environment).toContain("NEW=2");
    expect(environment).not.toContain("OLD=1");
  });
});
