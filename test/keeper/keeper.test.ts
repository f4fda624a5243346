import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { readJournal } from "../../src/keeper/journal.ts";
import { COMMANDS, NO_LIMIT, PROTOCOL_VERSION, SPAWN_FLAGS, UNCHANGED } from "../../src/keeper/protocol.ts";
import {
  AF_UNIX,
  describeAddress,
  internetAddress,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  unixAddress,
} from "../../src/supervisor/sockaddr.ts";
import { KeeperUnderTest, spawn, until } from "./relayed-keeper.ts";

let keeper: KeeperUnderTest;
beforeEach(() => {
  keeper = new KeeperUnderTest();
});
afterEach(() => keeper.clean());

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (string: string): Uint8Array => new TextEncoder().encode(string);
const path = (name: string): string => join(keeper.directory, name);
const sh = (script: string): string[] => ["/bin/sh", "-c", script];
const openUnix = (handle: number, name: string, type: number, mode = 0o600) =>
  ({
    kind: "openSocket",
    handle,
    domain: AF_UNIX,
    type,
    protocol: 0,
    address: unixAddress(path(name)),
    options: [],
    backlog: type === SOCK_DGRAM ? 0 : 16,
    mode,
    uid: UNCHANGED,
    gid: UNCHANGED,
  }) as const;
const openTcp = (handle: number, host: string, options: readonly number[] = []) => {
  const { domain, bytes: address } = internetAddress(host, 0);
  return {
    kind: "openSocket",
    handle,
    domain,
    type: SOCK_STREAM,
    protocol: 0,
    address,
    options,
    backlog: 16,
    mode: UNCHANGED,
    uid: UNCHANGED,
    gid: UNCHANGED,
  } as const;
};

describe("a hello", () => {
  test("says who the keeper is, how it was called and that it is fresh", async () => {
    await keeper.start({ args: ["-a", "b c"], attach: "no" });
    const [hello] = await keeper.hello();
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

  test("carries the journal, the workers and the handles that are there", async () => {
    await keeper.start();
    keeper.commit([
      { kind: "put", key: "a", value: bytes("1") },
      { kind: "put", key: "b", value: bytes("2") },
      { kind: "put", key: "a", value: bytes("3") },
      { kind: "remove", key: "b" },
      openTcp(7, "127.0.0.1"),
      spawn(4, ["/bin/sleep", "600"]),
    ]);
    await keeper.event("opened");
    const { pid, startTime } = await keeper.event("spawned");
    keeper.commit([]);
    const messages = await keeper.killSupervisor();
    expect(
      messages.filter((message) => message.kind === "helloEntry").map((entry) => [entry.key, text(entry.value)]),
    ).toEqual([["a", "3"]]);
    expect(messages.filter((message) => message.kind === "helloWorker")).toMatchObject([
      { worker: 4, pid, startTime, state: 1 },
    ]);
    expect(messages.filter((message) => message.kind === "helloHandle")).toMatchObject([{ handle: 7 }]);
    expect(messages[0]).toMatchObject({ fresh: 0, crashes: 1 });
  });
});

describe("a batch", () => {
  test("is not applied before its commit, and then whole", async () => {
    await keeper.start();
    keeper.send({ kind: "put", key: "k", value: bytes("v") }, { kind: "barrier", token: 1 });
    let messages = await keeper.killSupervisor();
    expect(messages.some((message) => message.kind === "helloEntry")).toBe(false);
    keeper.attach();
    await keeper.event("supervisorDied");
    keeper.commit([
      { kind: "put", key: "k", value: bytes("v") },
      { kind: "barrier", token: 2 },
    ]);
    expect(await keeper.event("reached")).toMatchObject({ token: 2 });
    keeper.commit([]);
    messages = await keeper.killSupervisor();
    expect(messages.some((message) => message.kind === "helloEntry")).toBe(true);
  });

  test("that has a failing command goes on, and the failure is an event", async () => {
    await keeper.start();
    keeper.commit([
      { kind: "closeHandle", handle: 99 },
      { kind: "statSocket", request: 5, handle: 99 },
      { kind: "barrier", token: 1 },
    ]);
    expect(await keeper.eventually("failed")).toMatchObject({ command: COMMANDS.statSocket.code, id: 5 });
    expect(await keeper.eventually("reached")).toMatchObject({ token: 1 });
  });

  test("with an unknown frame ends that supervisor, and nothing else", async () => {
    await keeper.start();
    keeper.commit([spawn(1, ["/bin/sleep", "600"])]);
    await keeper.event("spawned");
    const before = keeper.lives;
    keeper.sendBytes(new Uint8Array([1, 0, 0, 0, 250]));
    await keeper.nextLife(before);
    keeper.attach();
    expect(await keeper.eventually("supervisorDied")).toBeDefined();
  });
});

describe("events", () => {
  test("are delivered again to the next supervisor until they are consumed", async () => {
    await keeper.start();
    keeper.commit([{ kind: "barrier", token: 11 }]);
    const first = await keeper.event("reached");
    await keeper.killSupervisor();
    keeper.attach();
    const again = await keeper.event("reached");
    expect(again).toMatchObject({ token: 11, seq: first.seq, happenedAt: first.happenedAt });
    expect(again.deliveredAt).toBeGreaterThanOrEqual(first.deliveredAt);
    expect((await keeper.event("supervisorDied")).seq).toBeGreaterThan(first.seq);
  });

  test("of one worker come in order: spawned, what it said, its end with its last lines", async () => {
    await keeper.start();
    const script = `echo last words; exec python3 -c "import os,socket;s=socket.socket(fileno=3);s.send(b'READY=1');os._exit(7)"`;
    keeper.commit([spawn(1, sh(script), { notifyFd: 3 })]);
    const { pid } = await keeper.event("spawned");
    expect(await keeper.event("datagram")).toMatchObject({ worker: 1, source: 0, pid });
    const exited = await keeper.event("exited");
    expect(exited).toMatchObject({ worker: 1, pid, ending: 0, status: 7 });
    expect(text(exited.tail)).toBe("last words\n");
  });

  test("a tick comes when it is due, once, and only when nothing else is waiting", async () => {
    await keeper.start();
    const [hello] = await keeper.hello();
    if (hello?.kind !== "hello") throw new Error("no hello");
    keeper.commit([{ kind: "barrier", token: 1 }], hello.now);
    expect((await keeper.next()).kind).toBe("reached");
    keeper.commit([], hello.now);
    const tick = await keeper.event("tick");
    expect(tick.happenedAt).toBeGreaterThanOrEqual(hello.now);
    keeper.commit([{ kind: "barrier", token: 2 }]);
    expect(await keeper.event("reached")).toMatchObject({ token: 2 });
  });

  test("signals to the keeper are told with their sender", async () => {
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
  test("is granted when nothing newer is queued, and the next event starts a supervisor", async () => {
    await keeper.start();
    keeper.commit([{ kind: "barrier", token: 1 }]);
    const { seq } = await keeper.event("reached");
    keeper.commit([]);
    keeper.send({ kind: "idle", seen: seq });
    expect((await keeper.next()).kind).toBe("sleep");
    const before = keeper.lives;
    await keeper.killSupervisorQuietly();
    process.kill(keeper.pid, "SIGHUP");
    const messages = await keeper.nextLife(before);
    expect(messages[0]).toMatchObject({ crashes: 0 });
    keeper.attach();
    expect(await keeper.event("signalled")).toMatchObject({ signal: 1 });
  });

  test("is not granted while an event is outstanding", async () => {
    await keeper.start();
    keeper.commit([{ kind: "barrier", token: 1 }]);
    keeper.send({ kind: "idle", seen: 0 });
    expect((await keeper.next()).kind).toBe("reached");
    keeper.commit([{ kind: "barrier", token: 2 }]);
    expect((await keeper.next()).kind).toBe("reached");
  });
});

describe("sockets", () => {
  test("of every kind are opened, bound and told with their address", async () => {
    await keeper.start();
    keeper.commit([
      openTcp(1, "127.0.0.1"),
      openTcp(2, "::1"),
      openTcp(3, "::", [41, 26, 0]),
      openUnix(4, "s", SOCK_STREAM, 0o640),
      openUnix(5, "p", SOCK_SEQPACKET),
      openUnix(6, "d", SOCK_DGRAM),
    ]);
    for (const handle of [1, 2, 3, 4, 5, 6]) {
      const opened = await keeper.event("opened");
      expect(opened).toMatchObject({ handle, listening: handle === 6 ? 0 : 1 });
      if (handle <= 3) expect(describeAddress(opened.address)).toHaveProperty("port", expect.any(Number));
    }
    expect(statSync(path("s")).mode & 0o777).toBe(0o640);
  });

  test("dual stack sockets answer IPv4 and IPv6, v6only ones do not", async () => {
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

  test("that cannot be opened say at which step and why", async () => {
    await keeper.start();
    keeper.commit([
      openTcp(1, "192.0.2.1"),
      openUnix(2, "missing/s", SOCK_STREAM),
      { ...openTcp(3, "127.0.0.1"), type: 77 },
      { kind: "inheritSocket", handle: 4, fd: 500, backlog: 1 },
    ]);
    expect(await keeper.event("failed")).toMatchObject({ id: 1, step: "bind", errno: 99 });
    expect(await keeper.event("failed")).toMatchObject({ id: 2, step: "bind", errno: 2 });
    expect(await keeper.event("failed")).toMatchObject({ id: 3, step: "socket" });
    expect(await keeper.event("failed")).toMatchObject({ id: 4, errno: 9 });
  });

  test("tell how full their accept queues are", async () => {
    await keeper.start();
    keeper.commit([openUnix(1, "s", SOCK_STREAM), openTcp(2, "127.0.0.1")]);
    await keeper.event("opened");
    const tcp = describeAddress((await keeper.event("opened")).address) as { port: number };
    const waiting = [connect(path("s")), connect(path("s")), connect(tcp.port, "127.0.0.1")];
    await Promise.all(waiting.map((socket) => new Promise((done) => socket.once("connect", done))));
    keeper.commit([
      { kind: "statSocket", request: 1, handle: 1 },
      { kind: "statSocket", request: 2, handle: 2 },
    ]);
    expect(await keeper.event("socketStat")).toMatchObject({ request: 1, queue: 2, limit: 16 });
    expect(await keeper.event("socketStat")).toMatchObject({ request: 2, queue: 1, limit: 16 });
    for (const socket of waiting) socket.destroy();
  });

  test("that a worker shuts down listen again, on the same port", async () => {
    await keeper.start();
    keeper.commit([
      openTcp(1, "127.0.0.1"),
      spawn(
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

describe("a spawn", () => {
  test("gives the process exactly what was asked for", async () => {
    chmodSync(keeper.directory, 0o711);
    await keeper.start({ env: { BASE: "1", GONE: "1" } });
    keeper.commit([
      openTcp(1, "127.0.0.1"),
      spawn(1, ["/bin/sleep", "600"], {
        args: ["renamed", "600"],
        cwd: keeper.directory,
        env: [["A", "b=c"]],
        unset: ["GONE"],
        ownPid: ["LISTEN_PID"],
        descriptors: [1, 9, 1, 3],
        identity: [65534, 65534, 7, 8],
        umask: 0o027,
        limits: [7, 99, 99, 4, 0, NO_LIMIT],
        nice: 5,
        oomScore: 321,
      }),
    ]);
    await keeper.event("opened");
    const { pid, startTime } = await keeper.event("spawned");
    const proc = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
    const environment = proc("environ").split("\0");
    expect(environment).toContain("A=b=c");
    expect(environment).toContain("BASE=1");
    expect(environment).toContain(`LISTEN_PID=${pid}`);
    expect(environment.some((pair) => pair.startsWith("GONE="))).toBe(false);
    expect(proc("cmdline")).toBe("renamed\x00600\0");
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(keeper.directory);
    const status = proc("status");
    expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    expect(status).toMatch(/^Groups:\t7 8 ?$/m);
    expect(status).toMatch(/^Umask:\t0027$/m);
    expect(status).toMatch(/^SigBlk:\t0+$/m);
    expect(status).toMatch(/^SigIgn:\t0+$/m);
    expect(proc("limits")).toMatch(/^Max open files\s+99\s+99/m);
    expect(proc("limits")).toMatch(/^Max core file size\s+0\s+unlimited/m);
    expect(proc("oom_score_adj").trim()).toBe("321");
    const stat = proc("stat")
      .slice(proc("stat").lastIndexOf(")") + 2)
      .split(" ");
    expect([stat[2], stat[16], stat[19]]).toEqual([String(pid), "5", String(startTime)]);
    // While it starts, the program opens its libraries.
    await until("its descriptors", () => readdirSync(`/proc/${pid}/fd`).sort().join(" ") === "0 1 2 3 9");
    expect(readlinkSync(`/proc/${pid}/fd/0`)).toBe("/dev/null");
    expect(readlinkSync(`/proc/${pid}/fd/3`)).toBe(readlinkSync(`/proc/${pid}/fd/9`));
  });

  test.each([
    ["chdir", { cwd: "/no/such/directory" }, 2],
    ["exec", { file: "/no/such/program" }, 2],
    ["exec", { file: "/etc/passwd" }, 13],
    ["limit", { limits: [7, 10, 5] }, 22],
  ] as const)("that fails at %s with %j says so, and no exit follows", async (step, change, errno) => {
    await keeper.start();
    keeper.commit([spawn(1, ["/bin/true"], change), { kind: "barrier", token: 1 }]);
    expect(await keeper.eventually("spawnFailed")).toMatchObject({ worker: 1, step, errno });
  });

  test("ends what is left of a worker's group with it, and nothing where that was not asked for", async () => {
    await keeper.start();
    const script = (name: string): string => `sleep 600 & echo $! > ${path(name)}; exit 3`;
    keeper.commit([spawn(1, sh(script("ended"))), spawn(2, sh(script("spared")), { flags: SPAWN_FLAGS.group })]);
    for (let gone = 0; gone < 2; gone++) await keeper.eventually("exited");
    const [ended, spared] = ["ended", "spared"].map((name) => readFileSync(path(name), "utf8").trim());
    await until("the first to be gone", () => !existsSync(`/proc/${ended}`));
    expect(existsSync(`/proc/${spared}`)).toBe(true);
  });

  test("can be signalled, alone or with its group, and a signal to one that is gone is no failure", async () => {
    await keeper.start();
    keeper.commit([spawn(1, ["/bin/sleep", "600"])]);
    await keeper.event("spawned");
    keeper.commit([{ kind: "signal", worker: 1, signal: 10, group: 0 }]);
    expect(await keeper.event("exited")).toMatchObject({ worker: 1, ending: 1, status: 10 });
    keeper.commit([
      { kind: "signal", worker: 1, signal: 15, group: 1 },
      { kind: "barrier", token: 1 },
    ]);
    expect(await keeper.event("reached")).toMatchObject({ token: 1 });
  });
});

describe("datagrams", () => {
  const sender = (code: string): string[] => ["/usr/bin/env", "python3", "-c", `import os,socket,time,array\n${code}`];

  test("come from the pair and from the path, with who sent them and what came along", async () => {
    await keeper.start();
    const code = `
a=socket.socket(fileno=3)
socket.send_fds(a,[b"FDSTORE=1"],[0,1])
b=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)
b.sendto(b"x"*9000,os.environ["P"])
time.sleep(600)`;
    keeper.commit([spawn(1, sender(code), { notifyFd: 3, notifyPath: path("n"), env: [["P", path("n")]] })]);
    const { pid } = await keeper.event("spawned");
    const first = await keeper.event("datagram");
    expect(first).toMatchObject({ worker: 1, source: 0, pid, uid: 0, descriptors: 2, flags: 0 });
    const second = await keeper.event("datagram");
    expect(second).toMatchObject({ source: 1, pid, flags: 1 });
    expect(second.bytes.length).toBeLessThanOrEqual(8192);
    keeper.commit([
      { kind: "keepDescriptor", event: first.seq, index: 0, handle: 20 },
      { kind: "barrier", token: 1 },
    ]);
    await keeper.eventually("reached");
    expect(statSync(path("n")).mode & 0o777).toBe(0o600);
  });

  test("go to a worker with descriptors, and from a handle to an address", async () => {
    await keeper.start();
    const receiver = Bun.spawn(
      [
        "python3",
        "-c",
        `import socket;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(${JSON.stringify(path("r"))});print("bound",flush=True);print(s.recv(99).decode(),flush=True)`,
      ],
      { stdout: "pipe" },
    );
    await until("the receiver", () => existsSync(path("r")));
    const code = `
a=socket.socket(fileno=3)
m,f,_,_=socket.recv_fds(a,100,4)
a.send(m+b" "+str(len(f)).encode())
time.sleep(600)`;
    keeper.commit([
      openTcp(1, "127.0.0.1"),
      { kind: "openDatagram", handle: 2, domain: AF_UNIX, address: unixAddress(path("r")) },
      spawn(1, sender(code), { notifyFd: 3 }),
    ]);
    await keeper.eventually("spawned");
    keeper.commit([
      { kind: "sendDatagram", handle: 0, worker: 1, bytes: bytes("take"), handles: [1, 1] },
      { kind: "sendDatagram", handle: 2, worker: 0, bytes: bytes("hello"), handles: [] },
    ]);
    expect(text((await keeper.eventually("datagram")).bytes)).toBe("take 2");
    expect(await new Response(receiver.stdout).text()).toBe("bound\nhello\n");
  });

  test("that flood wait in the kernel, and none is lost", async () => {
    await keeper.start();
    const code = `
a=socket.socket(fileno=3)
for n in range(2000): a.send(str(n).encode())
os._exit(0)`;
    keeper.commit([spawn(1, sender(code), { notifyFd: 3 })]);
    await keeper.event("spawned");
    for (let number = 0; number < 2000; number++) {
      expect(text((await keeper.event("datagram")).bytes)).toBe(String(number));
      keeper.commit([]);
    }
    expect(await keeper.event("exited")).toMatchObject({ ending: 0, status: 0 });
  });
});

describe("control connections", () => {
  beforeEach(async () => {
    await keeper.start();
    keeper.commit([openUnix(1, "c", SOCK_STREAM), { kind: "acceptOn", handle: 1 }]);
    await keeper.event("opened");
  });

  test("deliver whole lines with who says them, take answers, and tell their end", async () => {
    const client = connect(path("c"), () => client.write("one\ntw"));
    let heard = "";
    client.on("data", (chunk) => {
      heard += chunk.toString();
    });
    const line = await keeper.event("line");
    keeper.commit([]);
    expect(line).toMatchObject({ listener: 1, pid: process.pid, uid: process.getuid?.() ?? 0 });
    expect(text(line.bytes)).toBe("one");
    keeper.commit([{ kind: "write", connection: line.connection, bytes: bytes("answer\n"), close: 0 }]);
    await until("the answer", () => heard === "answer\n");
    client.write("o\n");
    expect(text((await keeper.event("line")).bytes)).toBe("two");
    client.destroy();
    expect(await keeper.event("closed")).toMatchObject({ connection: line.connection, reason: 0 });
  });

  test("outlive the supervisor with half a line", async () => {
    const client = connect(path("c"), () => client.write("a\nhal"));
    const { connection } = await keeper.event("line");
    keeper.commit([]);
    const messages = await keeper.killSupervisor();
    expect(messages.filter((message) => message.kind === "helloConnection")).toMatchObject([
      { connection, listener: 1 },
    ]);
    keeper.attach();
    client.write("f\n");
    expect(text((await keeper.eventually("line")).bytes)).toBe("half");
    client.destroy();
  });

  test("with too long a line are ended", async () => {
    const client = connect(path("c"), () => client.write("a\n"));
    client.on("error", () => {});
    await keeper.event("line");
    keeper.commit([]);
    client.write("x".repeat(2 * 1024 * 1024));
    expect(await keeper.event("closed")).toMatchObject({ reason: 2 });
  });

  test("follow the output, and get the last lines first", async () => {
    keeper.commit([spawn(1, sh("echo one; echo two; read x; echo three; exec sleep 600"), { descriptors: [] })]);
    await keeper.event("spawned");
    await until("both lines", () => keeper.stdout.includes("two\n"));
    const client = connect(path("c"), () => client.write("logs\n"));
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

describe("the journal", () => {
  test("moves into a file that only its owner can read, and goes with the keeper", async () => {
    await keeper.start();
    keeper.commit([
      { kind: "put", key: "k", value: bytes("v") },
      { kind: "openJournal", path: path("journal") },
      { kind: "barrier", token: 1 },
    ]);
    await keeper.event("reached");
    expect(statSync(path("journal")).mode & 0o777).toBe(0o600);
    keeper.commit([{ kind: "exit", status: 5, keepJournal: 0 }]);
    expect(await keeper.ended).toBe(5);
    expect(existsSync(path("journal"))).toBe(false);
  });

  test("stays when it is to be kept, and does not grow with what is overwritten", async () => {
    await keeper.start();
    keeper.commit([{ kind: "openJournal", path: path("journal") }]);
    for (let round = 0; round < 200; round++)
      keeper.commit([{ kind: "put", key: "k", value: new Uint8Array(10_000).fill(round) }]);
    keeper.commit([{ kind: "barrier", token: 1 }]);
    await keeper.event("reached");
    expect(statSync(path("journal")).size).toBeLessThan(1_000_000);
    keeper.commit([{ kind: "exit", status: 0, keepJournal: 1 }]);
    expect(await keeper.ended).toBe(0);
    expect(existsSync(path("journal"))).toBe(true);
  });

  test("takes the place of the one that is there when it is whole", async () => {
    writeFileSync(path("journal"), "what was left");
    await keeper.start();
    keeper.commit([
      { kind: "put", key: "k", value: bytes("v") },
      { kind: "openJournal", path: path("journal") },
      { kind: "barrier", token: 1 },
    ]);
    await keeper.event("reached");
    expect(readJournal(readFileSync(path("journal")))).toMatchObject({ kind: "entries", torn: 0 });
  });

  test("leaves the one that is there where it cannot be written", async () => {
    writeFileSync(path("journal"), "what was left");
    mkdirSync(path("journal.new"));
    await keeper.start();
    keeper.commit([{ kind: "openJournal", path: path("journal") }]);
    expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.openJournal.code, step: "open" });
    expect(readFileSync(path("journal"), "utf8")).toBe("what was left");
  });

  test("a lock holds its file, with the keeper's pid in it", async () => {
    await keeper.start();
    keeper.commit([
      { kind: "lock", path: path("lock") },
      { kind: "barrier", token: 1 },
    ]);
    await keeper.event("reached");
    expect(readFileSync(path("lock"), "utf8").trim()).toBe(String(keeper.pid));
    const tried = Bun.spawnSync([
      "python3",
      "-c",
      `import fcntl;fcntl.flock(open(${JSON.stringify(path("lock"))}),fcntl.LOCK_EX|fcntl.LOCK_NB)`,
    ]);
    expect(tried.exitCode).not.toBe(0);
  });
});

describe("an execution in place", () => {
  test("keeps the pid, the workers, the sockets, half a line of a client and half a line of output", async () => {
    await keeper.start();
    keeper.commit([
      openUnix(1, "c", SOCK_STREAM),
      { kind: "acceptOn", handle: 1 },
      spawn(1, sh("printf 'first '; sleep 0.3; while [ ! -e go ]; do sleep 0.01; done; echo second; exec sleep 600"), {
        cwd: keeper.directory,
      }),
    ]);
    await keeper.eventually("spawned");
    const client = connect(path("c"), () => client.write("a\nhal"));
    const { connection } = await keeper.eventually("line");
    keeper.commit([{ kind: "put", key: "k", value: bytes("v") }]);
    const before = keeper.lives;
    keeper.commit([{ kind: "execute", path: readlinkSync(`/proc/${keeper.pid}/exe`) }]);
    const messages = await keeper.nextLife(before);
    expect(messages[0]).toMatchObject({ kind: "hello", pid: keeper.pid, executions: 1, fresh: 0 });
    expect(messages.filter((message) => message.kind === "helloWorker")).toHaveLength(1);
    expect(messages.filter((message) => message.kind === "helloConnection")).toMatchObject([{ connection }]);
    keeper.attach();
    client.write("f\n");
    expect(text((await keeper.eventually("line")).bytes)).toBe("half");
    await Bun.write(path("go"), "");
    await until("the line", () => keeper.stdout.includes("first second\n"));
    client.destroy();
  });

  test("that is not possible is a failure, and everything goes on", async () => {
    await keeper.start();
    keeper.commit([{ kind: "execute", path: "/no/such/program" }]);
    expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.execute.code, errno: 2 });
    keeper.commit([{ kind: "barrier", token: 1 }]);
    expect(await keeper.event("reached")).toMatchObject({ token: 1 });
  });
});

describe("the supervisor", () => {
  test("that dies again and again on the same client's line loses that line, and the rest goes on", async () => {
    await keeper.start();
    keeper.commit([openUnix(1, "c", SOCK_STREAM), { kind: "acceptOn", handle: 1 }]);
    await keeper.event("opened");
    keeper.commit([]);
    const client = connect(path("c"), () => client.write("poison\n"));
    for (let death = 0; death < 12; death++) {
      const message = await keeper.next();
      if (message.kind === "setAside") {
        expect(text(message.bytes)).toContain("poison");
        client.destroy();
        return;
      }
      if (message.kind !== "line") {
        keeper.commit([]);
        continue;
      }
      const before = keeper.lives;
      keeper.crashSupervisor();
      await keeper.nextLife(before);
      keeper.attach();
    }
    throw new Error("the line was never set aside");
  });

  test("a heartbeat goes out for as long as events are consumed, and ends with them", async () => {
    await keeper.start();
    const code = `import socket
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(${JSON.stringify(path("w"))})
for n in range(3): print(s.recv(99).decode(),flush=True)`;
    const watchdog = Bun.spawn(["python3", "-c", code], { stdout: "pipe" });
    await until("the watchdog", () => existsSync(path("w")));
    keeper.commit([
      { kind: "openDatagram", handle: 2, domain: AF_UNIX, address: unixAddress(path("w")) },
      { kind: "heartbeat", handle: 2, periodMs: 20, bytes: bytes("WATCHDOG=1") },
    ]);
    expect(await new Response(watchdog.stdout).text()).toBe("WATCHDOG=1\n".repeat(3));
  });

  test("changes of the base environment reach later workers", async () => {
    await keeper.start({ env: { OLD: "1" } });
    keeper.commit([{ kind: "setBase", env: [["NEW", "2"]], unset: ["OLD"] }, spawn(1, ["/bin/sleep", "600"])]);
    const { pid } = await keeper.event("spawned");
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    expect(environment).toContain("NEW=2");
    expect(environment).not.toContain("OLD=1");
  });
});
