// What a keeper does for its supervisor, by the rules of docs/reference/keeper-protocol.md: hellos, batches, sleep and ticks, the same for
// the real one and the simulated one. What only a kernel can show (sockets, processes, time limits) is in the other tests.
import { describe, expect, test } from "bun:test";
import { encodeCommands } from "../../../src/keeper/frames.ts";
import { COMMANDS, LIMITS, PROTOCOL_VERSION } from "../../../src/keeper/protocol.ts";
import { KEEPERS, keepersOf } from "../harness/both-keepers.ts";
import { ATTACH, attached, commit, expectEvent, put, readHello, spawnOf } from "../harness/keeper-under-test.ts";

const SIGHUP = 1;
const SIGKILL = 9;

for (const [name, start] of KEEPERS) {
  describe(`the ${name} keeper`, () => {
    const { fresh } = keepersOf(start);

    // Hello and journal --------------------------------------------------------------------------------------------------

    test("the first hello is fresh and empty", async () => {
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

    test("the next hello holds the journal entries that were put and not removed", async () => {
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

    test("events are sent only after attach, in order, outstanding events first", async () => {
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

    test("an event is delivered to each new supervisor until a commit consumes it", async () => {
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

    test("a batch without its commit has no effect", async () => {
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

    test("a batch that arrives one byte at a time is applied", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      for (const byte of encodeCommands([put("key", "value"), { kind: "barrier", token: 9 }, commit(0)]))
        end.sendBytes(new Uint8Array([byte]));
      expect(await expectEvent(end, "reached")).toMatchObject({ token: 9 });
    });

    test("a barrier waits for the starts before it, a mark does not", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(
        spawnOf(keeper, 1, ["wait"]),
        spawnOf(keeper, 2, ["wait"], { file: "/nowhere/at/all" }),
        { kind: "barrier", token: 1 },
        { kind: "signal", worker: 7, signal: SIGHUP, group: 0 },
        { kind: "mark", token: 2 },
        commit(0),
      );
      expect(await expectEvent(end, "reached")).toMatchObject({ token: 2 });
      const kinds = [(await end.next()).kind, (await end.next()).kind].sort();
      expect(kinds).toEqual(["spawnFailed", "spawned"]);
      expect(await expectEvent(end, "reached")).toMatchObject({ token: 1 });
    });

    const nonsense: Readonly<Record<string, Uint8Array>> = {
      "a command before attach": encodeCommands([put("key", "value"), commit(0)]),
      "another protocol version": encodeCommands([{ kind: "attach", protocol: PROTOCOL_VERSION + 1 }]),
      "an unknown command": new Uint8Array([1, 0, 0, 0, 250]),
      "a frame of invalid length": new Uint8Array([255, 255, 255, 255, 10]),
      "attach twice": encodeCommands([ATTACH, ATTACH]),
      "a malformed frame": new Uint8Array([...encodeCommands([ATTACH]), 2, 0, 0, 0, COMMANDS.remove.code, 7]),
      "a commit of an event that was not delivered": encodeCommands([ATTACH, commit(99)]),
      "idle inside a batch": encodeCommands([ATTACH, put("key", "value"), { kind: "idle", seen: 0 }]),
      "a key that is too long": encodeCommands([ATTACH, put("k".repeat(LIMITS.keyBytes + 1), ""), commit(0)]),
      "an empty key": encodeCommands([ATTACH, { kind: "remove", key: "" }, commit(0)]),
    };
    for (const [what, bytes] of Object.entries(nonsense)) {
      test(`a supervisor that sends ${what} is killed and replaced`, async () => {
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

    test("a supervisor is allowed to sleep, and the next event starts another one", async () => {
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

    test("a supervisor that sends garbage after it was allowed to sleep is killed, and the next event starts another one", async () => {
      const keeper = await fresh();
      const first = await attached(keeper);
      first.end.send({ kind: "idle", seen: 0 });
      expect((await first.end.next()).kind).toBe("sleep");
      first.end.sendBytes(new Uint8Array([1, 0, 0, 0, 250, 9, 9, 9, 9]));
      await first.end.gone;
      const next = await attached(keeper);
      expect((await expectEvent(next.end, "supervisorDied")).ending).toBe(1);
    });

    test("a supervisor is not allowed to sleep while a newer event is outstanding", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send({ kind: "barrier", token: 1 }, commit(0), { kind: "idle", seen: 0 });
      const reached = await expectEvent(end, "reached");
      end.send(commit(reached.seq), { kind: "idle", seen: reached.seq });
      expect((await end.next()).kind).toBe("sleep");
    });

    // Ticks --------------------------------------------------------------------------------------------------------------

    test("a tick is sent once, when it is due", async () => {
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

    test("a tick is sent only when no other event is outstanding", async () => {
      const keeper = await fresh();
      const { end, hello } = await attached(keeper);
      end.send({ kind: "barrier", token: 1 }, commit(0, hello.facts.now));
      const reached = await expectEvent(end, "reached");
      end.send({ kind: "barrier", token: 2 }, commit(0, hello.facts.now));
      const second = await expectEvent(end, "reached");
      end.send(commit(reached.seq, hello.facts.now), commit(second.seq, hello.facts.now));
      await expectEvent(end, "tick");
    });

    test("a new tick time replaces the previous one, and a commit without a time keeps it", async () => {
      const keeper = await fresh();
      const { end, hello } = await attached(keeper);
      end.send(commit(0, hello.facts.now + 40), commit(0, 0), commit(0, hello.facts.now + 80));
      expect((await expectEvent(end, "tick")).happenedAt).toBe(hello.facts.now + 80);
    });

    test("a tick wakes a sleeping crank", async () => {
      const keeper = await fresh();
      const first = await attached(keeper);
      first.end.send(commit(0, first.hello.facts.now + 150), { kind: "idle", seen: 0 });
      expect((await first.end.next()).kind).toBe("sleep");
      await first.end.leave();
      const { end } = await attached(keeper);
      await expectEvent(end, "tick");
    });
  });
}
