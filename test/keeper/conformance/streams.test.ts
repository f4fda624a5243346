// What a keeper does with the connections of clients, and with supervisors that crash on their input: the same for the
// real one and the simulated one.
import { describe, expect, test } from "bun:test";
import { COMMANDS, LIMITS } from "../../../src/keeper/protocol.ts";
import { CONTROL, KEEPERS, keepersOf } from "../harness/both-keepers.ts";
import { attached, commit, expectEvent, readHello, spawnOf } from "../harness/keeper-under-test.ts";

const EBADF = 9;
const EEXIST = 17;

const decoder = new TextDecoder();

for (const [name, start] of KEEPERS) {
  describe(`the ${name} keeper`, () => {
    const { fresh, withClient } = keepersOf(start);

    // Connections --------------------------------------------------------------------------------------------------------

    test("lines arrive whole, with their sender's credentials, and answers are sent back", async () => {
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

    test("a new socket replaces the control socket, and clients reach it", async () => {
      const { keeper, end, client, connection } = await withClient();
      end.send({ kind: "bindAgain", handle: CONTROL, kept: 9 }, { kind: "acceptOn", handle: CONTROL }, commit(0));
      const opened = await expectEvent(end, "opened");
      expect(opened).toMatchObject({ handle: CONTROL, listening: 1 });
      const other = await keeper.connect();
      other.send("by the new one\n");
      const line = await expectEvent(end, "line");
      expect(decoder.decode(line.bytes)).toBe("by the new one");
      // The connections of the old one continue.
      client.send("by the old one\n");
      expect(await expectEvent(end, "line")).toMatchObject({ connection });
      end.send(
        { kind: "bindAgain", handle: CONTROL, kept: 9 },
        { kind: "bindAgain", handle: 77, kept: 0 },
        { kind: "giveName", handle: 77, uid: 1, gid: 1 },
        commit(line.seq),
      );
      const command = COMMANDS.bindAgain.code;
      expect(await expectEvent(end, "failed")).toMatchObject({ command, id: CONTROL, step: "handle", errno: EEXIST });
      expect(await expectEvent(end, "failed")).toMatchObject({ command, id: 77, step: "handle", errno: EBADF });
      const give = COMMANDS.giveName.code;
      expect(await expectEvent(end, "failed")).toMatchObject({ command: give, id: 77, step: "chown", errno: EBADF });
      await end.kill();
      const { hello } = await attached(keeper);
      expect(hello.handles.map(({ handle }) => handle).sort()).toEqual([CONTROL, 9]);
    });

    test("an incomplete line outlives the supervisor", async () => {
      const { keeper, end, client, connection } = await withClient();
      client.send("first ha");
      await end.kill();
      const next = await attached(keeper);
      expect(next.hello.connections).toMatchObject([{ connection, listener: CONTROL }]);
      client.send("lf\n");
      await expectEvent(next.end, "supervisorDied");
      expect(decoder.decode((await expectEvent(next.end, "line")).bytes)).toBe("first half");
    });

    test("a client that hangs up is reported if it has sent a line", async () => {
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

    test("a connection is closed by crank when all output has been sent", async () => {
      const { end, client, connection } = await withClient();
      end.send({ kind: "write", connection, bytes: new TextEncoder().encode("bye\n"), close: 1 }, commit(2));
      await client.hears("bye\n");
      await client.closed;
      expect(await expectEvent(end, "closed")).toMatchObject({ connection, reason: 1 });
    });

    test("a line of exactly the limit is delivered, and a longer one closes the connection", async () => {
      const { end, client, connection } = await withClient();
      client.send(`${"x".repeat(LIMITS.lineBytes)}\n`);
      const line = await expectEvent(end, "line");
      expect(line.bytes.length).toBe(LIMITS.lineBytes);
      end.send(commit(line.seq));
      client.send("y".repeat(LIMITS.lineBytes + 1));
      expect(await expectEvent(end, "closed")).toMatchObject({ connection, reason: 2 });
      await client.closed;
    });

    test("of an HTTP request only the first line is delivered, when its head is complete", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(keeper.controlSocket(CONTROL), { kind: "acceptHeads", handle: CONTROL }, commit(0));
      await expectEvent(end, "opened");
      const slow = await keeper.connect();
      slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n");
      const other = await keeper.connect();
      other.send("no request\n");
      expect(decoder.decode((await expectEvent(end, "line")).bytes)).toBe("no request");
      slow.send("X: y\r\n\r\nGET /again HTTP/1.1\r\n\r\n");
      const line = await expectEvent(end, "line");
      expect(line.listener).toBe(CONTROL);
      expect(decoder.decode(line.bytes)).toBe("GET /slow HTTP/1.1\r");
      slow.send("GET /more HTTP/1.1\r\n\r\n");
      const third = await keeper.connect();
      third.send("GET /third HTTP/1.0\n\n");
      expect(decoder.decode((await expectEvent(end, "line")).bytes)).toBe("GET /third HTTP/1.0");
    });

    test("a head that is too long is refused without involving the supervisor", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(keeper.controlSocket(CONTROL), { kind: "acceptHeads", handle: CONTROL }, commit(0));
      await expectEvent(end, "opened");
      const long = await keeper.connect();
      long.send(`GET / HTTP/1.1\r\n${"X: y\r\n".repeat(4000)}`);
      await long.closed;
      const other = await keeper.connect();
      other.send("GET / HTTP/1.1\n\n");
      expect((await expectEvent(end, "line")).connection).toBe(2);
    });

    // Deaths -------------------------------------------------------------------------------------------------------------

    test("a line that crashes three supervisors is quarantined, and later lines are served", async () => {
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
      const aside = await expectEvent(last.end, "quarantined");
      expect(aside).toMatchObject({ seq: poison.seq, event: 140 });
      expect(decoder.decode(aside.bytes)).toContain("poison");
      last.end.send(commit(aside.seq));
      const rest = [await last.end.next(), await last.end.next()];
      expect(rest.map((message) => message.kind).sort()).toEqual(["line", "supervisorDied"]);
    });

    test("a SIGKILL from outside is not blamed on an event", async () => {
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

    test("exit events are never quarantined", async () => {
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

    test("a supervisor that dies before it attaches is counted and replaced", async () => {
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

    test("the exit command ends the keeper with its status", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send({ kind: "exit", status: 7, keepJournal: 0 }, commit(0));
      expect(await keeper.ended).toBe(7);
    });
  });
}
