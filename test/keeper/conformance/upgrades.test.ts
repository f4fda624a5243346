// What a keeper does when the supervisor or the keeper is replaced: the same for the real one and the simulated one.
import { describe, expect, test } from "bun:test";
import { KEEPERS, keepersOf } from "../harness/both-keepers.ts";
import { ATTACH, attached, commit, expectEvent, put, readHello } from "../harness/keeper-under-test.ts";

const SIGHUP = 1;

for (const [name, start] of KEEPERS) {
  describe(`the ${name} keeper`, () => {
    const { fresh } = keepersOf(start);

    test("a candidate replaces the supervisor, and unconsumed events are delivered again", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(put("key", "before"), keeper.replacement(), commit(0));
      keeper.signal(SIGHUP);
      const { seq } = await expectEvent(end, "signalled");
      const next = await keeper.candidate();
      await end.gone;
      const hello = await readHello(next);
      expect(hello.entries.get("key")).toBe("before");
      expect(hello.facts).toMatchObject({ executions: 0, crashes: 0 });
      next.send(ATTACH);
      expect((await expectEvent(next, "signalled")).seq).toBe(seq);
      next.send(commit(seq));
      expect((await expectEvent(next, "supervisorReplaced")).seq).toBeGreaterThan(seq);
    });

    test("a candidate that exits before its first batch is reported and replaced by the old program", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send(keeper.replacement(), commit(0));
      const candidate = await keeper.candidate();
      await readHello(candidate);
      await candidate.crash();
      const next = await attached(keeper);
      expect(next.hello.facts.crashes).toBe(0);
      expect(await expectEvent(next.end, "supervisorKept")).toMatchObject({ phase: 2, status: 6 });
    });

    test("a program that takes over in a rehearsal changes nothing", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      end.send({ kind: "rehearse", path: keeper.program }, commit(0));
      const { seq, ...rehearsed } = await expectEvent(end, "rehearsed");
      expect(rehearsed).toMatchObject({ step: "", errno: 0, ending: 0, status: 0 });
      end.send({ kind: "barrier", token: 1 }, commit(seq));
      await expectEvent(end, "reached");
    });

    test("a re-exec keeps the journal and the events, and starts another supervisor", async () => {
      const keeper = await fresh();
      const { end } = await attached(keeper);
      keeper.signal(SIGHUP);
      const { seq } = await expectEvent(end, "signalled");
      end.send(put("key", "kept"), { kind: "execute", path: keeper.program }, commit(0));
      const next = await attached(keeper);
      expect(next.hello.facts.executions).toBe(1);
      expect(next.hello.entries.get("key")).toBe("kept");
      expect((await expectEvent(next.end, "signalled")).seq).toBe(seq);
    });
  });
}
