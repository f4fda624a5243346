// The keeper's output thread from outside: what a re-exec keeps.
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { eventually } from "./driver.ts";
import {
  add,
  finish,
  flush,
  LIMIT_MS,
  linesIn,
  numbered,
  numberedLines,
  parseLines,
  readAvailable,
  takeUntil,
  withEachBuild,
} from "./stage.ts";

withEachBuild("worker output: executions in place", (stage) => {
  test("a re-exec in the middle of a line keeps the line, the kept lines, followers, tail and format", async () => {
    const harness = await stage().startJson();
    const pid = await add(
      harness,
      1,
      `echo whole; printf 'first '; while [ ! -e ${stage().path("go")} ]; do sleep 0.01; done; echo second`,
      {
        json: '"id":5',
      },
    );
    harness.send("follow", 51, 0, 0, 1);
    await eventually(() => stage().stdout().length > 0);
    harness.send("execute");
    writeFileSync(stage().path("go"), "");
    expect(await finish(harness, 1, pid)).toBe("whole\nfirst second\n");
    await flush(harness);
    const lines = parseLines(stage().stdout().toString("utf8"));
    expect(lines.map(({ line }) => line)).toEqual(["whole", "first second"]);
    expect(lines.every((line) => line.id === 5 && line.pid === pid)).toBe(true);
    const followed = await takeUntil(harness, 51, (got) => linesIn(got).at(-1) === "first second");
    expect(linesIn(followed.notifications).at(-1)).toBe("first second");
    harness.send("follow", 52, 0, 10, 0);
    const kept = await takeUntil(harness, 52, (got) => got.some(({ method }) => method === "logEnd"));
    expect(linesIn(kept.notifications)).toEqual(["whole", "first second"]);
    await stage().end(harness);
  });

  test(
    "repeated re-execs neither lose nor duplicate a line, even while standard output is blocked",
    async () => {
      const pipe = stage().makePipe();
      const harness = stage().start({ stdout: pipe });
      const pid = await add(harness, 1, numbered("x", 30_000), { prefix: "" });
      for (let i = 0; i < 3; i++) harness.send("execute");
      harness.send("resume");
      const tail = finish(harness, 1, pid);
      const parts: Buffer[] = [];
      await eventually(() => {
        readAvailable(pipe, parts);
        return parts.at(-1)?.toString("utf8").endsWith("x 30000 and some more of a line\n");
      });
      await tail;
      await stage().end(harness);
      const lines = Buffer.concat(parts).toString("utf8").split("\n").slice(0, -1);
      expect(lines).toEqual([...numberedLines("x", 30_000)]);
    },
    LIMIT_MS,
  );
});
