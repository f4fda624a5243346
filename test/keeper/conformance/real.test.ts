// What only a real keeper can show: the kernel's part of the protocol's rules. What both keepers do is in
// the other conformance tests; sockets, spawned processes and re-execs are in ../real/.
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readJournal } from "../../../src/keeper/journal.ts";
import { COMMANDS, LIMITS, type Message, UNCHANGED } from "../../../src/keeper/protocol.ts";
import { internetAddress } from "../../../src/supervisor/os/sockaddr.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { until } from "../harness/driven-keeper.ts";
import { attached, type CommandOf, commit, expectEvent, put, spawnOf } from "../harness/keeper-under-test.ts";
import { isSending, python, realKeepers } from "./real-keepers.ts";

const decoder = new TextDecoder();

const fresh = realKeepers();

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const SO = { reuseAddress: 2, keepAlive: 9, reusePort: 15 } as const;
const TCP = { noDelay: 1, deferAccept: 9, fastOpen: 23 } as const;

describe("sockets", () => {
  test("have the requested options, as read by a worker that inherits them", async () => {
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
    "a missing directory": [{ cwd: "/nowhere" }, "chdir", ENOENT],
    "a file that is not executable": [{ file: "/etc/passwd" }, "exec", EACCES],
    "a limit that does not exist": [{ limits: [99, 1, 1] }, "limit", EINVAL],
    "a soft limit above the hard one": [{ limits: [7, 20, 10] }, "limit", EINVAL],
    "a handle that is not open": [{ descriptors: [77, 5] }, "descriptor", EBADF],
    "a notify socket in a missing directory": [{ notifyPath: "/nowhere/notify" }, "notify", ENOENT],
    "an oom score that does not exist": [{ oomScore: 5000 }, "oom-score", EINVAL],
    "a death signal that does not exist": [{ deathSignal: 200 }, "death-signal", EINVAL],
    "a socket to connect to that does not exist": [{ connectFd: 9, connectPath: "/nowhere" }, "connect", ENOENT],
    "a path to connect to that is too long": [{ connectFd: 9, connectPath: "x".repeat(200) }, "connect", ENAMETOOLONG],
    "a descriptor to connect that no process can have": [{ connectFd: 2 ** 32 - 1 }, "descriptor", EBADF],
  };
  const asAnother = {
    "a directory that its user may not enter": [{ cwd: "/root", identity: [65534, 65534] }, "chdir", EACCES],
    "a uid that means no change": [{ identity: [2 ** 32 - 1, 65534] }, "setuid", EINVAL],
    "a gid that is root's in 32 bits": [{ identity: [65534, 2 ** 32] }, "setgid", EINVAL],
    "a group that is root's in 32 bits": [{ identity: [65534, 65534, 2 ** 32] }, "setgroups", EINVAL],
  } as const;
  for (const [what, [changes, step, errno]] of Object.entries({ ...failures, ...asAnother })) {
    needing(...(what in asAnother ? [ROOT_USER] : [])).test(
      `because of ${what} reports it and leaves nothing behind`,
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

  needing(ROOT_USER).test("because its user may not switch to another user reports the step", async () => {
    const keeper = await fresh({ wrapper: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] });
    const { end } = await attached(keeper);
    end.send(spawnOf(keeper, 1, ["wait"], { identity: [1, 1], output: 1 }), commit(0));
    expect(await expectEvent(end, "spawnFailed")).toMatchObject({ step: "setgroups", errno: EPERM });
  });
});

describe("datagrams", () => {
  test("longer than the limit are truncated and marked", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    const program = "import socket; socket.socket(fileno=3).send(b'x' * 60000)";
    end.send(python(keeper, 1, program), commit(0));
    await expectEvent(end, "spawned");
    const datagram = await expectEvent(end, "datagram");
    expect(datagram.flags).toBe(1);
    expect(datagram.bytes.length).toBe(LIMITS.datagramBytes);
  });

  test("of many workers that are not consumed wait in the kernel, except for each worker's share", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    // More than the keeper reads and the kernel holds for a socket, which is about 200 KiB.
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
    // It answers all the time without consuming.
    const takeOne = (): Promise<Message> => {
      end.send(commit(consumed));
      return take();
    };
    while (datagrams < 512) await takeOne();
    // All later datagrams wait for room in the sockets' queues.
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

  test("of a worker that has exited are all delivered before its exit event", async () => {
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

describe("the journal's file", () => {
  test("holds the entries after the keeper is killed", async () => {
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

  test("stays readable and small through thousands of changes", async () => {
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

  test("is refused with a step and an error when it cannot be created", async () => {
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

const openDescriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
