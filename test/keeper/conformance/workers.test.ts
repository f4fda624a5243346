// What a keeper reports about workers and the descriptors that they store: the same for the real one and the simulated one.
import { describe, expect, test } from "bun:test";
import { COMMANDS } from "../../../src/keeper/protocol.ts";
import { KEEPERS, keepersOf } from "../harness/both-keepers.ts";
import { attached, commit, expectEvent, spawnOf } from "../harness/keeper-under-test.ts";

const SIGKILL = 9;
const SIGTERM = 15;
const decoder = new TextDecoder();

for (const [name, start] of KEEPERS) {
  describe(`the ${name} keeper`, () => {
    const { fresh } = keepersOf(start);

    // Workers ------------------------------------------------------------------------------------------------------------

    test("a worker's start is reported before its datagrams, and its exit after them, with its last lines", async () => {
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

    test("WATCHDOG=1 stays in the keeper, and a datagram that says more is passed on", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      const words = ["WATCHDOG=1", "WATCHDOG=1\n", "WATCHDOG=1\nSTATUS=ok", "WATCHDOG=trigger"];
      end.send(spawnOf(keeper, 7, [...words.map((word) => `notify ${word}`), "wait"]), commit(0));
      await expectEvent(end, "spawned");
      expect(decoder.decode((await expectEvent(end, "datagram")).bytes)).toBe("WATCHDOG=1\nSTATUS=ok");
      expect(decoder.decode((await expectEvent(end, "datagram")).bytes)).toBe("WATCHDOG=trigger");
    });

    test("a worker that misses its watchdog is reported once, a worker without a watchdog never", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 7, ["wait"]), spawnOf(keeper, 8, ["wait"]), commit(0));
      await expectEvent(end, "spawned");
      const second = await expectEvent(end, "spawned");
      end.send(
        { kind: "watchdog", worker: 9, periodMs: 10 },
        { kind: "watchdog", worker: 8, periodMs: 60 },
        { kind: "watchdog", worker: 8, periodMs: 0 },
        { kind: "watchdog", worker: 7, periodMs: 100 },
        commit(second.seq),
      );
      const expired = await expectEvent(end, "watchdogExpired");
      expect(expired).toMatchObject({ worker: 7, periodMs: 100, strangers: 0, stranger: 0 });
      end.send(commit(expired.seq, expired.happenedAt + 300));
      await expectEvent(end, "tick");
    });

    test("a worker that has exited is not watched", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 7, ["wait"]), commit(0));
      const spawned = await expectEvent(end, "spawned");
      end.send(
        { kind: "watchdog", worker: 7, periodMs: 150 },
        { kind: "signal", worker: 7, signal: SIGKILL, group: 0 },
        commit(spawned.seq),
      );
      const exited = await expectEvent(end, "exited");
      end.send(commit(exited.seq, exited.happenedAt + 400));
      await expectEvent(end, "tick");
    });

    test("a worker that is killed by a signal is reported with the signal", async () => {
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

    test("a signal to a worker that has exited or never existed is no error", async () => {
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

    test("a worker that cannot be started is reported with the step and the error, and is in hellos until the event is consumed", async () => {
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

    test("a start with the number of a running worker fails", async () => {
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

    test("workers outlive supervisors, and an exit without a supervisor is reported to the next", async () => {
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

    test("a datagram to a worker that does not exist fails", async () => {
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

    // Remaining processes of a worker ---------------------------------------------------------------------------------------------

    test("a worker whose main process has exited ends with the rest of its tree, which gets its signals", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["leave", "leave", "say last", "exit 3"]), commit(0));
      const { pid } = await expectEvent(end, "spawned");
      const left = await expectEvent(end, "mainExited");
      expect(left).toMatchObject({ worker: 1, pid, ending: 0, status: 3, rest: 2 });
      end.send({ kind: "barrier", token: 1 }, commit(left.seq));
      await expectEvent(end, "reached");
      await end.kill();
      const next = await attached(keeper);
      expect(next.hello.workers).toMatchObject([{ worker: 1, pid, state: 3 }]);
      await expectEvent(next.end, "reached");
      const died = await expectEvent(next.end, "supervisorDied");
      next.end.send({ kind: "signal", worker: 1, signal: SIGTERM, group: 0 }, commit(died.seq));
      const exited = await expectEvent(next.end, "exited");
      expect(exited).toMatchObject({ worker: 1, pid, ending: 0, status: 3 });
      expect(new TextDecoder().decode(exited.tail)).toBe("last\n");
    });

    test("SIGKILL ends all remaining processes of a worker and reports them", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, [`ignore ${SIGTERM}`, "leave", "leave", "exit 0"]), commit(0));
      await expectEvent(end, "spawned");
      const left = await expectEvent(end, "mainExited");
      end.send(
        { kind: "signal", worker: 1, signal: SIGTERM, group: 1 },
        { kind: "signal", worker: 1, signal: SIGKILL, group: 1 },
        commit(left.seq),
      );
      const killed = await expectEvent(end, "killed");
      expect(killed).toMatchObject({ worker: 1, count: 2 });
      expect([killed.pids.length, killed.commands[0]?.includes("leave")]).toEqual([2, true]);
      expect(await expectEvent(end, "exited")).toMatchObject({ worker: 1, ending: 0, status: 0 });
    });

    // Stored descriptors -----------------------------------------------------------------------------------------------

    test("a descriptor received with a datagram is kept on request and outlives the supervisor", async () => {
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

    test("a descriptor that is not kept is closed when its datagram is consumed", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(spawnOf(keeper, 1, ["store mine", "wait"]), commit(0));
      await expectEvent(end, "spawned");
      const { seq } = await expectEvent(end, "datagram");
      end.send(commit(seq), { kind: "keepDescriptor", event: seq, index: 0, handle: 70 }, commit(0));
      expect(await expectEvent(end, "failed")).toMatchObject({ command: COMMANDS.keepDescriptor.code, id: 70 });
    });

    test("stored descriptors are sent to a worker in one datagram and closed in the keeper", async () => {
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
        { kind: "sendDescriptors", worker: 9, bytes, handles: [70, 71] },
        { kind: "sendDescriptors", worker: 1, bytes, handles: [70, 71] },
        { kind: "sendDescriptors", worker: 1, bytes, handles: [70] },
        commit(b.seq),
      );
      await expectEvent(end, "opened");
      await expectEvent(end, "opened");
      const failed = { kind: "failed", command: COMMANDS.sendDescriptors.code, step: "send" };
      expect(await end.next()).toMatchObject({ ...failed, id: 9, errno: 107 });
      expect(await end.next()).toMatchObject({ kind: "descriptorsSent", worker: 1 });
      expect(await end.next()).toMatchObject({ ...failed, id: 1, errno: 9 });
      await end.kill();
      expect((await attached(keeper)).hello.handles).toEqual([]);
    });
  });
}
