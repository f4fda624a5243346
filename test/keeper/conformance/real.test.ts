// What only a real keeper can show: the kernel's part of the protocol's rules. What both keepers do is in
// the other conformance tests; sockets, spawned processes and execution in place are in keeper-*.test.ts.
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { readJournal } from "../../../src/keeper/journal.ts";
import { COMMANDS, LIMITS, type Message, UNCHANGED } from "../../../src/keeper/protocol.ts";
import { internetAddress } from "../../../src/supervisor/os/sockaddr.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { until } from "../harness/driven-keeper.ts";
import {
  attached,
  type CommandOf,
  commit,
  expectEvent,
  put,
  readHello,
  spawnOf,
} from "../harness/keeper-under-test.ts";
import { endProcess, type RealKeeper, type RealOptions, startReal } from "../harness/real-keeper.ts";

const decoder = new TextDecoder();
const PYTHON = "/usr/bin/env";
const CONTROL = 2;

let running: RealKeeper[] = [];
const fresh = async (options: RealOptions = {}): Promise<RealKeeper> => {
  const keeper = await startReal(options);
  running.push(keeper);
  return keeper;
};
afterEach(async () => {
  for (const keeper of running) await keeper.stop();
  running = [];
});

/** Whether a process waits in sendto(2), for room in its peer's queue. */
const isSending = (pid: number): boolean => {
  const number = process.arch === "arm64" ? "206" : "44";
  return (
    readFileSync(`/proc/${pid}/stat`, "utf8").includes(") S ") &&
    readFileSync(`/proc/${pid}/syscall`, "utf8").startsWith(`${number} `)
  );
};

/** A worker in Python; its output comes with its exit. */
const python = (keeper: RealKeeper, worker: number, program: string, changes: Partial<CommandOf<"spawn">> = {}) =>
  spawnOf(keeper, worker, [], { file: PYTHON, args: ["env", "python3", "-c", program], ...changes });

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const SO = { reuseAddress: 2, keepAlive: 9, reusePort: 15 } as const;
const TCP = { noDelay: 1, deferAccept: 9, fastOpen: 23 } as const;

describe("sockets", () => {
  test("have the options that were asked for, as a worker that inherits them reads them", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    const { domain, bytes } = internetAddress("127.0.0.1", 0);
    const options = [
      [SOL_SOCKET, SO.reuseAddress, 1],
      [SOL_SOCKET, SO.reusePort, 1],
      [SOL_SOCKET, SO.keepAlive, 1],
      [IPPROTO_TCP, TCP.noDelay, 1],
      [IPPROTO_TCP, TCP.deferAccept, 7],
      [IPPROTO_TCP, TCP.fastOpen, 5],
    ].flat();
    const open = {
      kind: "openSocket",
      handle: 1,
      domain,
      type: 1,
      protocol: 0,
      address: bytes,
      options,
      backlog: 33,
    } as const;
    end.send({ ...open, mode: UNCHANGED, uid: UNCHANGED, gid: UNCHANGED }, commit(0));
    await expectEvent(end, "opened");
    const program = `import socket
s = socket.socket(fileno=5)
for level, name in ((1, 2), (1, 15), (1, 9), (6, 1), (6, 23), (1, 30)): print(s.getsockopt(level, name))
print(s.getsockopt(6, 9) >= 7)
print(s.getblocking())`;
    end.send(python(keeper, 1, program, { descriptors: [1, 5] }), commit(1));
    await expectEvent(end, "spawned");
    const exited = await expectEvent(end, "exited");
    expect(decoder.decode(exited.tail).trim().split("\n")).toEqual(["1", "1", "1", "1", "5", "1", "True", "True"]);
    end.send({ kind: "statSocket", request: 9, handle: 1 }, commit(exited.seq));
    expect(await expectEvent(end, "socketStat")).toMatchObject({ request: 9, handle: 1, queue: 0, limit: 33 });
  });
});

describe("a start that fails", () => {
  const EPERM = 1;
  const ENOENT = 2;
  const EBADF = 9;
  const EINVAL = 22;
  const EACCES = 13;
  const ENAMETOOLONG = 36;
  const failures: Readonly<Record<string, readonly [Partial<CommandOf<"spawn">>, string, number]>> = {
    "a directory that is gone": [{ cwd: "/nowhere" }, "chdir", ENOENT],
    "a file that is not executable": [{ file: "/etc/passwd" }, "exec", EACCES],
    "a limit that does not exist": [{ limits: [99, 1, 1] }, "limit", EINVAL],
    "a soft limit above the hard one": [{ limits: [7, 20, 10] }, "limit", EINVAL],
    "a handle that is not open": [{ descriptors: [77, 5] }, "descriptor", EBADF],
    "a notify socket in a directory that is gone": [{ notifyPath: "/nowhere/notify" }, "notify", ENOENT],
    "an oom score that does not exist": [{ oomScore: 5000 }, "oom-score", EINVAL],
    "a death signal that does not exist": [{ deathSignal: 200 }, "death-signal", EINVAL],
    "a socket to connect to that is not there": [{ connectFd: 9, connectPath: "/nowhere" }, "connect", ENOENT],
    "a path to connect to that is too long": [{ connectFd: 9, connectPath: "x".repeat(200) }, "connect", ENAMETOOLONG],
    "a descriptor to connect that no process can have": [{ connectFd: 2 ** 32 - 1 }, "descriptor", EBADF],
  };
  const asAnother = {
    "a directory that its user may not enter": [{ cwd: "/root", identity: [65534, 65534] }, "chdir", EACCES],
    "a uid that stands for no change": [{ identity: [2 ** 32 - 1, 65534] }, "setuid", EINVAL],
    "a gid that is root's in 32 bits": [{ identity: [65534, 2 ** 32] }, "setgid", EINVAL],
    "a group that is root's in 32 bits": [{ identity: [65534, 65534, 2 ** 32] }, "setgroups", EINVAL],
  } as const;
  for (const [what, [changes, step, errno]] of Object.entries({ ...failures, ...asAnother })) {
    needing(...(what in asAnother ? [ROOT_USER] : [])).test(
      `because of ${what} says so, and leaves nothing`,
      async () => {
        const keeper = await fresh();
        const { end } = await attached(keeper);
        end.send({ kind: "barrier", token: 0 }, commit(0));
        const { seq } = await expectEvent(end, "reached");
        const before = openDescriptors(keeper.pid);
        end.send(spawnOf(keeper, 1, ["wait"], changes), commit(seq));
        const failed = await expectEvent(end, "spawnFailed");
        expect([failed.worker, failed.step, failed.errno]).toEqual([1, step, errno]);
        end.send({ kind: "barrier", token: 1 }, commit(failed.seq));
        await expectEvent(end, "reached");
        // The output thread closes its end of the worker's pipe by itself.
        while (openDescriptors(keeper.pid) > before) await Bun.sleep(1);
      },
    );
  }

  needing(ROOT_USER).test("because its user has no right to another's name says which step", async () => {
    const keeper = await fresh({ wrapper: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] });
    const { end } = await attached(keeper);
    end.send(spawnOf(keeper, 1, ["wait"], { identity: [1, 1], output: 1 }), commit(0));
    expect(await expectEvent(end, "spawnFailed")).toMatchObject({ step: "setgroups", errno: EPERM });
  });
});

describe("datagrams", () => {
  test("longer than the limit are cut and marked", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    const program = "import socket; socket.socket(fileno=3).send(b'x' * 60000)";
    end.send(python(keeper, 1, program), commit(0));
    await expectEvent(end, "spawned");
    const datagram = await expectEvent(end, "datagram");
    expect(datagram.flags).toBe(1);
    expect(datagram.bytes.length).toBe(LIMITS.datagramBytes);
  });

  test("of many workers that are not consumed wait in the kernel, but for a share", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    // More than what the keeper reads and what the kernel holds of a socket, which is some 200 KiB.
    const each = 200;
    const workers = Array.from({ length: 10 }, (_, index) => index + 1);
    const go = join(keeper.home, "go");
    const program = `import os, socket, time
s = socket.socket(fileno=3)
s.send(b"WORD=up")
while not os.path.exists(${JSON.stringify(go)}): time.sleep(0.01)
for number in range(${each}): s.send(b"WORD=%04000d" % number)`;
    end.send(...workers.map((worker) => python(keeper, worker, program)), commit(0));
    const pids: number[] = [];
    let datagrams = 0;
    let last = 0;
    const take = async (): Promise<Message> => {
      const message = await end.next();
      if (message.kind === "spawned") pids.push(message.pid);
      if (message.kind === "datagram") datagrams += 1;
      if ("seq" in message) last = message.seq;
      return message;
    };
    while (pids.length < workers.length || datagrams < workers.length) {
      await take();
      end.send(commit(last));
    }
    datagrams = 0;
    const consumed = last;
    writeFileSync(go, "");
    // It answers all the time and consumes nothing.
    const takeOne = (): Promise<Message> => {
      end.send(commit(consumed));
      return take();
    };
    while (datagrams < 512) await takeOne();
    // All that they say behind that waits for room in their sockets' queues.
    for (let token = 1; token <= 3; token++) {
      await until("all to wait", () => pids.every(isSending));
      end.send({ kind: "barrier", token }, commit(consumed));
      for (let message = await takeOne(); message.kind !== "reached"; message = await takeOne());
    }
    expect(datagrams).toBeLessThanOrEqual(512 + 4 * workers.length);
    let exits = 0;
    while (exits < workers.length) {
      end.send(commit(last));
      if ((await take()).kind === "exited") exits += 1;
    }
    expect(datagrams).toBe(each * workers.length);
  }, 60_000);

  test("of a worker that is gone are all told before its exit", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    const program = `import socket
s = socket.socket(fileno=3)
for number in range(300): s.send(str(number).encode())`;
    end.send(python(keeper, 1, program), commit(0));
    await expectEvent(end, "spawned");
    for (let number = 0; number < 300; number++) {
      const datagram = await expectEvent(end, "datagram");
      expect(decoder.decode(datagram.bytes)).toBe(String(number));
      end.send(commit(datagram.seq));
    }
    expect(await expectEvent(end, "exited")).toMatchObject({ ending: 0, status: 0 });
  });
});

describe("connections", () => {
  test("of a client that does not read are dropped when the limit waits for it", async () => {
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

  test("that say more than is consumed wait, and lose nothing", async () => {
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
      // Nothing is consumed until so many are outstanding that the keeper has stopped reading.
      if (number % 64 === 63) end.send(commit(line.seq));
    }
  });
});

/** Keeps a keeper's supervisor from consuming anything while these clients talk. */
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
  test("because all lines together are too much go on when there is room, whatever others hold half a line", async () => {
    const { keeper, end } = await withListeners();
    const large = `${"x".repeat(LIMITS.lineBytes)}\n`;
    for (let sent = 0; sent < 36; sent++) (await keeper.connect()).send(large);
    const first = await expectEvent(end, "line");
    let last = first;
    for (let heard = 1; heard < 32; heard++) {
      last = await expectEvent(end, "line");
      // It answers all the time and consumes nothing: under the sanitizers this takes longer than the keeper waits for an answer.
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

  test("of strangers have a share of the queue, and the owner's line comes behind that share at most", async () => {
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
    // And all of what they said comes in the end, every connection's in its turn.
    const heard = new Map<number, number>();
    for (let consumed = ahead; consumed < strangers.length * 200; consumed++) {
      end.send(commit(line.seq));
      line = await expectEvent(end, "line");
      heard.set(line.connection, (heard.get(line.connection) ?? 0) + 1);
      if (consumed === 600) expect(heard.size).toBe(strangers.length);
    }
    for (const stranger of strangers) stranger.destroy();
  });

  test("of strangers hold little before their first line is whole", async () => {
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

describe("the local time zone", () => {
  const zoneOf = async (zone: string) => {
    const keeper = await fresh({ env: { TZ: zone } });
    const end = await keeper.supervisor();
    for (;;) {
      const message = await end.next();
      if (message.kind === "helloZone") return message;
    }
  };

  test("is told with the hello as the C library knows it, and with its next change", async () => {
    expect(await zoneOf("XXX-5:30")).toMatchObject({ offset: 19_800, nextOffset: 19_800 });
    const zone = await zoneOf("CET-1CEST,M3.5.0,M10.5.0/3");
    expect([zone.offset, zone.nextOffset].sort()).toEqual([3600, 7200]);
    const change = new Date(zone.until * 1000);
    // The last Sunday of March or October, at one o'clock UTC.
    expect([change.getUTCDay(), change.getUTCHours(), change.getUTCMinutes(), change.getUTCSeconds()]).toEqual([
      0, 1, 0, 0,
    ]);
    expect(change.getUTCMonth()).toBe(zone.nextOffset === 7200 ? 2 : 9);
    expect(zone.until * 1000).toBeGreaterThan(Date.now());
  });
});

describe("the journal's file", () => {
  test("says what was put in, to who reads it after the keeper was killed", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    const path = join(keeper.home, "journal");
    end.send(put("before", "1"), commit(0));
    end.send({ kind: "openJournal", path }, put("with", "2"), { kind: "barrier", token: 1 }, commit(0));
    const reached = await expectEvent(end, "reached");
    end.send(
      put("after", "3"),
      put("gone", "4"),
      { kind: "remove", key: "gone" },
      { kind: "barrier", token: 2 },
      commit(reached.seq),
    );
    await expectEvent(end, "reached");
    const hello = { bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), pid: keeper.pid };
    await keeper.kill();
    const journal = readJournal(readFileSync(path));
    if (journal.kind !== "entries") throw new Error(`the journal is ${journal.kind}`);
    expect(journal).toMatchObject({ ...hello, consumed: reached.seq, torn: 0, unconfirmed: [] });
    const entries = [...journal.entries].map(([key, value]) => [key, decoder.decode(value)]).sort();
    expect(entries).toEqual([
      ["after", "3"],
      ["before", "1"],
      ["with", "2"],
    ]);
  });

  test("stays readable through thousands of changes, and stays small", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    const path = join(keeper.home, "journal");
    end.send({ kind: "openJournal", path }, commit(0));
    const value = "v".repeat(1000);
    for (let number = 0; number < 2000; number++) end.send(put(`key/${number % 10}`, `${number} ${value}`), commit(0));
    end.send({ kind: "barrier", token: 1 }, commit(0));
    await expectEvent(end, "reached");
    const bytes = readFileSync(path);
    expect(bytes.length).toBeLessThan(400_000);
    const journal = readJournal(bytes);
    if (journal.kind !== "entries") throw new Error(`the journal is ${journal.kind}`);
    expect(decoder.decode(journal.entries.get("key/9"))).toStartWith("1999 ");
    expect(journal.entries.size).toBe(10);
  });

  test("is refused with a step and an error where it cannot be made", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send({ kind: "openJournal", path: "/nowhere/journal" }, commit(0));
    expect(await expectEvent(end, "failed")).toMatchObject({
      command: COMMANDS.openJournal.code,
      step: "open",
      errno: 2,
    });
  });
});

describe("supervisors", () => {
  test("that answer nothing for ten seconds are killed, and followed by another", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send({ kind: "barrier", token: 1 }, commit(0));
    await expectEvent(end, "reached");
    await end.gone;
    const { hello } = await attached(keeper);
    expect(hello).toMatchObject({ outstanding: 2, facts: { crashes: 1 } });
    await until("its words", () => keeper.output().includes("has not answered for 10 s"));
  }, 30_000);

  test("that die five times before they attach end a keeper that has nothing to keep", async () => {
    const keeper = await fresh();
    for (let death = 0; death < 5; death++) await (await keeper.supervisor()).crash();
    expect(await keeper.ended).toBe(1);
    expect(keeper.output()).toContain("cannot be started");
  });

  test("that cannot be started leave the workers as they are", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send(spawnOf(keeper, 1, ["wait"]), commit(0));
    const spawned = await expectEvent(end, "spawned");
    end.send(commit(spawned.seq));
    await end.crash();
    for (let death = 0; death < 5; death++) await (await keeper.supervisor()).crash();
    const { hello } = await attached(keeper);
    expect(hello.workers).toMatchObject([{ worker: 1, pid: spawned.pid, state: 1 }]);
  });

  test("see what crank was started with", async () => {
    const keeper = await fresh({
      args: ["-name", "x", "--", "-weird"],
      cwd: "/usr",
      env: { KEPT: "yes" },
    });
    const end = await keeper.supervisor();
    const { facts } = await readHello(end);
    expect(facts).toMatchObject({
      args: ["-name", "x", "--", "-weird"],
      cwd: "/usr",
      program: "crank",
      pid: keeper.pid,
      home: keeper.home,
    });
    const supervisor = childOf(keeper.pid);
    const environment = readFileSync(`/proc/${supervisor}/environ`, "latin1").split("\0");
    expect(environment).toContain("KEPT=yes");
    expect(readFileSync(`/proc/${supervisor}/stat`, "latin1").split(") ")[1]?.split(" ")[2]).toBe(String(supervisor));
  });

  test("are gone when their keeper is, and workers are not", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send(spawnOf(keeper, 1, ["wait"]), commit(0));
    const { pid } = await expectEvent(end, "spawned");
    await keeper.kill();
    await end.gone;
    expect(readFileSync(`/proc/${pid}/comm`, "latin1").trim()).toBe("scripted-worker".slice(0, 15));
    endProcess(pid);
  });

  test("get a file's worth of a worker's environment changes without losing the base", async () => {
    const keeper = await fresh({ env: { BASE: "1", TAKEN: "2" } });
    const { end } = await attached(keeper);
    const program =
      "import os; print(os.environ.get('BASE'), os.environ.get('TAKEN'), os.environ.get('NEW'), os.environ.get('LISTEN_PID') == str(os.getpid()))";
    end.send(python(keeper, 1, program, { env: [["NEW", "3"]], unset: ["TAKEN"], ownPid: ["LISTEN_PID"] }), commit(0));
    await expectEvent(end, "spawned");
    expect(decoder.decode((await expectEvent(end, "exited")).tail)).toBe("1 None 3 True\n");
  });
});

describe("commands on files", () => {
  test("setProgram refuses what is not there, and keeps what it has", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send({ kind: "setProgram", runtime: "/nowhere/crank", bundle: "" }, commit(0));
    expect(await expectEvent(end, "failed")).toMatchObject({
      command: COMMANDS.setProgram.code,
      step: "runtime",
      errno: 2,
    });
    await end.kill();
    await attached(keeper);
  });

  test("supervisors are the keeper's own program, even when its file is gone or another", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    rmSync(keeper.program);
    writeFileSync(keeper.program, "not this one\n", { mode: 0o755 });
    await end.kill();
    await attached(keeper);
    expect(readFileSync(`/proc/${childOf(keeper.pid)}/cmdline`, "utf8")).toBe("crank-supervisor\0crank\0");
    expect(readlinkSync(`/proc/${childOf(keeper.pid)}/exe`)).toBe(`${realpathSync(keeper.home)}/bin/crank (deleted)`);
  });
});

const openDescriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** The pid of a keeper's only child. */
const childOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
