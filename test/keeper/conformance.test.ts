// What a keeper does for its supervisor, by the rules of docs/keeper-protocol.md: the same tests for the real one and the
// simulated one. What only a kernel can show (sockets, processes, time limits) is in the other conformance tests.
import { afterEach, describe, expect, test } from "bun:test";
import { encodeCommands } from "../../src/keeper/frames.ts";
import { COMMANDS, LIMITS, PROTOCOL_VERSION } from "../../src/keeper/protocol.ts";
import {
  ATTACH,
  attached,
  type Client,
  commit,
  expectEvent,
  type KeeperUnderTest,
  put,
  readHello,
  type SupervisorEnd,
  spawnOf,
} from "./keeper-under-test.ts";
import { startReal } from "./real-keeper.ts";
import { startSimulated } from "./simulated-keeper.ts";

const KEEPERS: Readonly<Record<string, () => Promise<KeeperUnderTest>>> = {
  real: startReal,
  simulated: startSimulated,
};
const CONTROL = 2;
const SIGHUP = 1;
const SIGKILL = 9;
const SIGTERM = 15;
const decoder = new TextDecoder();

for (const [name, start] of Object.entries(KEEPERS)) {
  describe(`the ${name} keeper`, () => {
    let running: KeeperUnderTest[] = [];
    const fresh = async (): Promise<KeeperUnderTest> => {
      const keeper = await start();
      running.push(keeper);
      return keeper;
    };
    afterEach(async () => {
      for (const keeper of running) await keeper.stop();
      running = [];
    });

    /** A keeper with a control socket and one client that has said a line, which is consumed. */
    const withClient = async (): Promise<{
      keeper: KeeperUnderTest;
      end: SupervisorEnd;
      client: Client;
      connection: number;
    }> => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(keeper.controlSocket(CONTROL), { kind: "acceptOn", handle: CONTROL }, commit(0));
      const opened = await expectEvent(end, "opened");
      const client = await keeper.connect();
      client.send("hello\n");
      const line = await expectEvent(end, "line");
      expect(opened).toMatchObject({ handle: CONTROL, listening: 1 });
      expect(decoder.decode(line.bytes)).toBe("hello");
      end.send(commit(line.seq));
      return { keeper, end, client, connection: line.connection };
    };

    // Hello and journal --------------------------------------------------------------------------------------------------

    test("a first hello is fresh and empty", async () => {
      const keeper = await fresh();
      const hello = await readHello(await keeper.supervisor());
      expect(hello.facts).toMatchObject({
        protocol: PROTOCOL_VERSION,
        fresh: 1,
        crashes: 0,
        consumed: 0,
        executions: 0,
        cwd: "/",
      });
      expect(hello).toMatchObject({ workers: [], handles: [], connections: [], outstanding: 0 });
      expect(hello.entries.size).toBe(0);
    });

    test("what was put into the journal is in the next hello, and what was removed is not", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(put("one", "1"), put("two", "2"), put("three", "3"), commit(0));
      end.send(
        put("two", "zwei"),
        { kind: "remove", key: "three" },
        { kind: "remove", key: "never" },
        { kind: "barrier", token: 1 },
        commit(0),
      );
      await expectEvent(end, "reached");
      await end.kill();
      const { hello } = await attached(keeper);
      expect(new Map([...hello.entries].sort())).toEqual(
        new Map([
          ["one", "1"],
          ["two", "zwei"],
        ]),
      );
      expect(hello.facts).toMatchObject({ fresh: 0, crashes: 1 });
    });

    test("events flow only after attach, those outstanding first, in order", async () => {
      const keeper = await fresh();
      const first = await attached(keeper);
      first.end.send({ kind: "barrier", token: 1 }, { kind: "barrier", token: 2 }, commit(0));
      await expectEvent(first.end, "reached");
      await expectEvent(first.end, "reached");
      await first.end.kill();
      const end = await keeper.supervisor();
      const hello = await readHello(end);
      expect(hello.outstanding).toBe(3);
      end.send(ATTACH);
      expect(await expectEvent(end, "reached")).toMatchObject({ seq: 1, token: 1 });
      expect(await expectEvent(end, "reached")).toMatchObject({ seq: 2, token: 2 });
      expect(await expectEvent(end, "supervisorDied")).toMatchObject({
        seq: 3,
        ending: 1,
        status: SIGKILL,
        lastEvent: 2,
      });
    });

    test("a barrier waits for the starts before it, a mark for nothing", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(
        spawnOf(keeper, 1, ["wait"]),
        { kind: "barrier", token: 1 },
        { kind: "signal", worker: 7, signal: SIGHUP, group: 0 },
        { kind: "mark", token: 2 },
        commit(0),
      );
      expect(await expectEvent(end, "reached")).toMatchObject({ token: 2 });
      expect(await expectEvent(end, "spawned")).toMatchObject({ worker: 1 });
      expect(await expectEvent(end, "reached")).toMatchObject({ token: 1 });
    });

    test("an event comes again to each supervisor until a commit has consumed it", async () => {
      const keeper = await fresh();
      const first = await attached(keeper);
      first.end.send({ kind: "barrier", token: 1 }, { kind: "barrier", token: 2 }, commit(0));
      const one = await expectEvent(first.end, "reached");
      const two = await expectEvent(first.end, "reached");
      first.end.send(put("seen", "1"), { kind: "barrier", token: 3 }, commit(one.seq));
      await expectEvent(first.end, "reached");
      await first.end.kill();
      const { end, hello } = await attached(keeper);
      expect(hello.facts.consumed).toBe(one.seq);
      const again = await expectEvent(end, "reached");
      expect(again).toMatchObject({ seq: two.seq, token: 2, happenedAt: two.happenedAt });
      expect(again.deliveredAt).toBeGreaterThanOrEqual(two.deliveredAt);
    });

    // Batches ------------------------------------------------------------------------------------------------------------

    test("a batch without its end does nothing", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(put("whole", "1"), { kind: "barrier", token: 1 }, commit(0));
      await expectEvent(end, "reached");
      const bytes = encodeCommands([put("half", "1"), spawnOf(keeper, 1, ["wait"]), commit(0)]);
      end.sendBytes(bytes.subarray(0, bytes.length - 1));
      await end.kill();
      const { hello } = await attached(keeper);
      expect([...hello.entries.keys()]).toEqual(["whole"]);
      expect(hello.workers).toEqual([]);
    });

    test("a batch that comes a byte at a time is as good as any", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      for (const byte of encodeCommands([put("key", "value"), { kind: "barrier", token: 9 }, commit(0)]))
        end.sendBytes(new Uint8Array([byte]));
      expect(await expectEvent(end, "reached")).toMatchObject({ token: 9 });
    });

    test("a barrier waits for the starts before it", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(
        spawnOf(keeper, 1, ["wait"]),
        spawnOf(keeper, 2, ["wait"], { file: "/nowhere/at/all" }),
        { kind: "barrier", token: 5 },
        commit(0),
      );
      const kinds = [(await end.next()).kind, (await end.next()).kind].sort();
      expect(kinds).toEqual(["spawnFailed", "spawned"]);
      expect(await expectEvent(end, "reached")).toMatchObject({ token: 5 });
    });

    const nonsense: Readonly<Record<string, Uint8Array>> = {
      "a command before attach": encodeCommands([put("key", "value"), commit(0)]),
      "another protocol": encodeCommands([{ kind: "attach", protocol: PROTOCOL_VERSION + 1 }]),
      "an unknown command": new Uint8Array([1, 0, 0, 0, 250]),
      "a frame of impossible length": new Uint8Array([255, 255, 255, 255, 10]),
      "attach twice": encodeCommands([ATTACH, ATTACH]),
      "a malformed frame": new Uint8Array([...encodeCommands([ATTACH]), 2, 0, 0, 0, COMMANDS.remove.code, 7]),
      "the consumption of an event that was not delivered": encodeCommands([ATTACH, commit(99)]),
      "idle inside a batch": encodeCommands([ATTACH, put("key", "value"), { kind: "idle", seen: 0 }]),
      "a key that is too long": encodeCommands([ATTACH, put("k".repeat(LIMITS.keyBytes + 1), ""), commit(0)]),
      "an empty key": encodeCommands([ATTACH, { kind: "remove", key: "" }, commit(0)]),
    };
    for (const [what, bytes] of Object.entries(nonsense)) {
      test(`a supervisor that says ${what} is ended, and followed by another`, async () => {
        const keeper = await fresh();
        const end = await keeper.supervisor();
        await readHello(end);
        end.sendBytes(bytes);
        await end.gone;
        const { hello } = await attached(keeper);
        expect(hello.facts.crashes).toBe(1);
        expect(hello.entries.size).toBe(0);
      });
    }

    // Sleep --------------------------------------------------------------------------------------------------------------

    test("sleep is granted, and the next event starts another supervisor", async () => {
      const keeper = await fresh();
      const first = await attached(keeper);
      first.end.send(put("key", "value"), commit(0), { kind: "idle", seen: 0 });
      expect((await first.end.next()).kind).toBe("sleep");
      await first.end.leave();
      keeper.signal(SIGHUP);
      const { end, hello } = await attached(keeper);
      expect(hello.facts).toMatchObject({ crashes: 0, fresh: 0 });
      expect(await expectEvent(end, "signalled")).toMatchObject({ signal: SIGHUP });
    });

    test("sleep is not granted while something newer is there", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send({ kind: "barrier", token: 1 }, commit(0), { kind: "idle", seen: 0 });
      const reached = await expectEvent(end, "reached");
      end.send(commit(reached.seq), { kind: "idle", seen: reached.seq });
      expect((await end.next()).kind).toBe("sleep");
    });

    // Ticks --------------------------------------------------------------------------------------------------------------

    test("a tick comes when it is due, and once", async () => {
      const keeper = await fresh();
      const { end, hello } = await attached(keeper);
      const due = hello.facts.now + 60;
      end.send(commit(0, due));
      const tick = await expectEvent(end, "tick");
      expect(tick.happenedAt).toBe(due);
      expect(tick.deliveredAt).toBeGreaterThanOrEqual(due);
      end.send({ kind: "barrier", token: 1 }, commit(tick.seq));
      await expectEvent(end, "reached");
    });

    test("a tick is made only when nothing else is outstanding", async () => {
      const keeper = await fresh();
      const { end, hello } = await attached(keeper);
      end.send({ kind: "barrier", token: 1 }, commit(0, hello.facts.now));
      const reached = await expectEvent(end, "reached");
      end.send({ kind: "barrier", token: 2 }, commit(0, hello.facts.now));
      const second = await expectEvent(end, "reached");
      end.send(commit(reached.seq, hello.facts.now), commit(second.seq, hello.facts.now));
      await expectEvent(end, "tick");
    });

    test("a later time replaces an earlier one, and none takes it back", async () => {
      const keeper = await fresh();
      const { end, hello } = await attached(keeper);
      end.send(commit(0, hello.facts.now + 40), commit(0, 0), commit(0, hello.facts.now + 80));
      expect((await expectEvent(end, "tick")).happenedAt).toBe(hello.facts.now + 80);
    });

    test("a sleeping crank is woken by its tick", async () => {
      const keeper = await fresh();
      const first = await attached(keeper);
      first.end.send(commit(0, first.hello.facts.now + 150), { kind: "idle", seen: 0 });
      expect((await first.end.next()).kind).toBe("sleep");
      await first.end.leave();
      const { end } = await attached(keeper);
      await expectEvent(end, "tick");
    });

    // Workers ------------------------------------------------------------------------------------------------------------

    test("a worker's start comes before what it says, and its end after, with its last lines", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 7, ["say one", "notify READY=1", "notify STATUS=ok", "say two", "exit 3"]), commit(0));
      const spawned = await expectEvent(end, "spawned");
      expect(spawned.worker).toBe(7);
      const ready = await expectEvent(end, "datagram");
      expect(ready).toMatchObject({ worker: 7, pid: spawned.pid, uid: 0, gid: 0, flags: 0, descriptors: 0 });
      expect(decoder.decode(ready.bytes)).toBe("READY=1");
      expect(decoder.decode((await expectEvent(end, "datagram")).bytes)).toBe("STATUS=ok");
      const exited = await expectEvent(end, "exited");
      expect(exited).toMatchObject({ worker: 7, pid: spawned.pid, ending: 0, status: 3 });
      expect(decoder.decode(exited.tail)).toBe("one\ntwo\n");
    });

    test("a worker that ends of a signal is told as that", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["ignore 15", "notify up", "wait"]), commit(0));
      await expectEvent(end, "spawned");
      const up = await expectEvent(end, "datagram");
      end.send(
        { kind: "signal", worker: 1, signal: SIGTERM, group: 0 },
        { kind: "signal", worker: 1, signal: SIGKILL, group: 1 },
        commit(up.seq),
      );
      expect(await expectEvent(end, "exited")).toMatchObject({ worker: 1, ending: 1, status: SIGKILL });
    });

    test("a signal to a worker that is gone, or never was, is no error", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["exit 0"]), commit(0));
      await expectEvent(end, "spawned");
      const exited = await expectEvent(end, "exited");
      const signal = { kind: "signal", signal: SIGTERM, group: 0 } as const;
      end.send({ ...signal, worker: 1 }, { ...signal, worker: 99 }, commit(0));
      end.send({ ...signal, worker: 1 }, { kind: "barrier", token: 1 }, commit(exited.seq));
      await expectEvent(end, "reached");
    });

    test("a worker that cannot be started is told with the step and the error, and stays in hellos until that is consumed", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 4, [], { file: "/nowhere/at/all" }), commit(0));
      const failed = await expectEvent(end, "spawnFailed");
      expect(failed).toMatchObject({ worker: 4, step: "exec", errno: 2 });
      await end.kill();
      const second = await attached(keeper);
      expect(second.hello.workers).toMatchObject([{ worker: 4, state: 2 }]);
      expect((await expectEvent(second.end, "spawnFailed")).seq).toBe(failed.seq);
      const died = await expectEvent(second.end, "supervisorDied");
      second.end.send({ kind: "barrier", token: 1 }, commit(died.seq));
      await expectEvent(second.end, "reached");
      await second.end.kill();
      expect((await attached(keeper)).hello.workers).toEqual([]);
    });

    test("a number that a living worker has is not given twice", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["wait"]), { kind: "barrier", token: 1 }, commit(0));
      const spawned = await expectEvent(end, "spawned");
      const reached = await expectEvent(end, "reached");
      end.send(spawnOf(keeper, 1, ["wait"]), commit(reached.seq));
      expect(await expectEvent(end, "spawnFailed")).toMatchObject({ worker: 1, step: "worker", errno: 17 });
      await end.kill();
      const { hello } = await attached(keeper);
      expect(hello.workers).toMatchObject([{ worker: 1, pid: spawned.pid, startTime: spawned.startTime, state: 1 }]);
    });

    test("workers outlive supervisors, and an exit that nobody saw is told to the next", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(
        spawnOf(keeper, 1, ["notify up", "wait"]),
        spawnOf(keeper, 2, ["wait"]),
        { kind: "barrier", token: 1 },
        commit(0),
      );
      const seen = [await end.next(), await end.next(), await end.next(), await end.next()].map(
        (message) => message.kind,
      );
      expect(seen.sort()).toEqual(["datagram", "reached", "spawned", "spawned"]);
      end.send({ kind: "signal", worker: 2, signal: SIGKILL, group: 0 }, commit(4));
      const exited = await expectEvent(end, "exited");
      await end.kill();
      const { hello, end: next } = await attached(keeper);
      expect(new Map(hello.workers.map((worker) => [worker.worker, worker.state]))).toEqual(
        new Map([
          [1, 1],
          [2, 2],
        ]),
      );
      expect(await expectEvent(next, "exited")).toMatchObject({
        worker: 2,
        seq: exited.seq,
        ending: 1,
        status: SIGKILL,
      });
    });

    test("a datagram to a worker that is not there is a failure", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send({ kind: "sendDatagram", handle: 0, worker: 3, bytes: new Uint8Array([1]), handles: [] }, commit(0));
      expect(await expectEvent(end, "failed")).toMatchObject({
        command: COMMANDS.sendDatagram.code,
        id: 3,
        step: "send",
        errno: 107,
      });
    });

    // Stored descriptors -----------------------------------------------------------------------------------------------

    test("a descriptor that comes with a datagram is kept under a number if that is wanted, and outlives the supervisor", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["store mine", "wait"]), commit(0));
      await expectEvent(end, "spawned");
      const said = await expectEvent(end, "datagram");
      expect(said).toMatchObject({ worker: 1, descriptors: 1, flags: 0 });
      end.send(
        { kind: "keepDescriptor", event: said.seq, index: 0, handle: 70 },
        { kind: "storeHandle", handle: 70, poll: 1 },
        { kind: "keepDescriptor", event: said.seq, index: 0, handle: 71 },
        { kind: "keepDescriptor", event: said.seq, index: 1, handle: 72 },
        commit(0),
      );
      expect(await expectEvent(end, "opened")).toMatchObject({ handle: 70, listening: 0 });
      for (const id of [71, 72])
        expect(await expectEvent(end, "failed")).toMatchObject({
          command: COMMANDS.keepDescriptor.code,
          id,
          step: "descriptor",
          errno: 9,
        });
      await end.kill();
      expect((await attached(keeper)).hello.handles.map(({ handle }) => handle)).toEqual([70]);
    });

    test("a descriptor that nobody wanted is gone with its datagram", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["store mine", "wait"]), commit(0));
      await expectEvent(end, "spawned");
      const { seq } = await expectEvent(end, "datagram");
      end.send(commit(seq), { kind: "keepDescriptor", event: seq, index: 0, handle: 70 }, commit(0));
      expect(await expectEvent(end, "failed")).toMatchObject({ command: COMMANDS.keepDescriptor.code, id: 70 });
    });

    test("stored descriptors are handed to a worker with one datagram, and are not the keeper's any more", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["store a", "store b", "wait"]), commit(0));
      await expectEvent(end, "spawned");
      const a = await expectEvent(end, "datagram");
      const b = await expectEvent(end, "datagram");
      const bytes = new TextEncoder().encode("FDNAMES=a:b");
      end.send(
        { kind: "keepDescriptor", event: a.seq, index: 0, handle: 70 },
        { kind: "keepDescriptor", event: b.seq, index: 0, handle: 71 },
        { kind: "hand", worker: 9, bytes, handles: [70, 71] },
        { kind: "hand", worker: 1, bytes, handles: [70, 71] },
        { kind: "hand", worker: 1, bytes, handles: [70] },
        commit(b.seq),
      );
      await expectEvent(end, "opened");
      await expectEvent(end, "opened");
      const failed = { kind: "failed", command: COMMANDS.hand.code, step: "send" };
      expect(await end.next()).toMatchObject({ ...failed, id: 9, errno: 107 });
      expect(await end.next()).toMatchObject({ kind: "handed", worker: 1 });
      expect(await end.next()).toMatchObject({ ...failed, id: 1, errno: 9 });
      await end.kill();
      expect((await attached(keeper)).hello.handles).toEqual([]);
    });

    // Connections --------------------------------------------------------------------------------------------------------

    test("lines come whole, answers go back, and who asked is told", async () => {
      const { end, client, connection } = await withClient();
      client.send("one\ntwo\nthr");
      const one = await expectEvent(end, "line");
      expect(one).toMatchObject({ connection, listener: CONTROL, uid: 0, gid: 0 });
      expect(decoder.decode(one.bytes)).toBe("one");
      const two = await expectEvent(end, "line");
      expect(decoder.decode(two.bytes)).toBe("two");
      end.send({ kind: "write", connection, bytes: new TextEncoder().encode("answer\n"), close: 0 }, commit(two.seq));
      await client.hears("answer\n");
      client.send("ee\n");
      expect(decoder.decode((await expectEvent(end, "line")).bytes)).toBe("three");
    });

    test("half a line outlives the supervisor", async () => {
      const { keeper, end, client, connection } = await withClient();
      client.send("first ha");
      await end.kill();
      const next = await attached(keeper);
      expect(next.hello.connections).toMatchObject([{ connection, listener: CONTROL }]);
      client.send("lf\n");
      await expectEvent(next.end, "supervisorDied");
      expect(decoder.decode((await expectEvent(next.end, "line")).bytes)).toBe("first half");
    });

    test("a client that hangs up is told of, if it ever said something", async () => {
      const { keeper, end, client, connection } = await withClient();
      const silent = await keeper.connect();
      silent.hangUp();
      client.hangUp();
      const closed = await expectEvent(end, "closed");
      expect(closed).toMatchObject({ connection, reason: 0 });
      end.send({ kind: "write", connection, bytes: new Uint8Array([1]), close: 0 }, commit(closed.seq));
      expect(await expectEvent(end, "failed")).toMatchObject({
        command: COMMANDS.write.code,
        id: connection,
        step: "write",
        errno: 107,
      });
    });

    test("a connection is closed by us when all has been sent", async () => {
      const { end, client, connection } = await withClient();
      end.send({ kind: "write", connection, bytes: new TextEncoder().encode("bye\n"), close: 1 }, commit(2));
      await client.hears("bye\n");
      await client.closed;
      expect(await expectEvent(end, "closed")).toMatchObject({ connection, reason: 1 });
    });

    test("a line of exactly the limit comes, and a longer one ends the connection", async () => {
      const { end, client, connection } = await withClient();
      client.send(`${"x".repeat(LIMITS.lineBytes)}\n`);
      const line = await expectEvent(end, "line");
      expect(line.bytes.length).toBe(LIMITS.lineBytes);
      end.send(commit(line.seq));
      client.send("y".repeat(LIMITS.lineBytes + 1));
      expect(await expectEvent(end, "closed")).toMatchObject({ connection, reason: 2 });
      await client.closed;
    });

    // Deaths -------------------------------------------------------------------------------------------------------------

    test("a line that three supervisors die of is set aside, and what comes after it is served", async () => {
      const { keeper, end, client } = await withClient();
      client.send("poison\n");
      const poison = await expectEvent(end, "line");
      await end.crash();
      for (let death = 2; death <= 3; death++) {
        const next = await attached(keeper);
        expect(decoder.decode((await expectEvent(next.end, "line")).bytes)).toBe("poison");
        if (death === 2) client.send("good\n");
        await next.end.crash();
      }
      const last = await attached(keeper);
      const aside = await expectEvent(last.end, "setAside");
      expect(aside).toMatchObject({ seq: poison.seq, event: 140 });
      expect(decoder.decode(aside.bytes)).toContain("poison");
      last.end.send(commit(aside.seq));
      const rest = [await last.end.next(), await last.end.next()];
      expect(rest.map((message) => message.kind).sort()).toEqual(["line", "supervisorDied"]);
    });

    test("a SIGKILL from outside is nobody's fault", async () => {
      const { keeper, end, client } = await withClient();
      client.send("innocent\n");
      await expectEvent(end, "line");
      await end.kill();
      for (let death = 0; death < 4; death++) {
        const next = await attached(keeper);
        expect(decoder.decode((await expectEvent(next.end, "line")).bytes)).toBe("innocent");
        await next.end.kill();
      }
    });

    test("exits are never set aside", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["exit 0"]), commit(0));
      const spawned = await expectEvent(end, "spawned");
      const exited = await expectEvent(end, "exited");
      end.send(commit(spawned.seq));
      await end.crash();
      for (let death = 0; death < 4; death++) {
        const next = await attached(keeper);
        expect((await expectEvent(next.end, "exited")).seq).toBe(exited.seq);
        await next.end.crash();
      }
    });

    test("one that dies before it has attached is followed by another, and counted", async () => {
      const keeper = await fresh();
      for (let death = 0; death < 2; death++) {
        const end = await keeper.supervisor();
        expect((await readHello(end)).facts.crashes).toBe(death);
        await end.crash();
      }
      const { end } = await attached(keeper);
      end.send({ kind: "barrier", token: 1 }, commit(0));
      await expectEvent(end, "reached");
    });

    test("exit ends the keeper with the status", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send({ kind: "exit", status: 7, keepJournal: 0 }, commit(0));
      expect(await keeper.ended).toBe(7);
    });
  });
}
