// The keeper's output thread from outside: how lines are marked, quoted and cut, without losing any.
import { expect, test } from "bun:test";
import { truncateSync, writeFileSync } from "node:fs";
import {
  add,
  finish,
  LIMIT_MS,
  linesIn,
  numbered,
  numberedLines,
  parseLines,
  runAll,
  takeUntil,
  withEachBuild,
} from "./stage.ts";

withEachBuild("worker output: lines", (stage) => {
  test(
    "lines of several writers all arrive once, whole and in order per writer",
    async () => {
      const harness = stage().start();
      const names = ["a", "b", "c", "d"];
      await runAll(
        harness,
        names.map((name) => numbered(name, 20_000)),
        (index) => `[${index}] `,
      );
      await stage().end(harness);
      const lines = stage().stdout().toString("utf8").split("\n").slice(0, -1);
      expect(lines.length).toBe(80_000);
      for (const [index, name] of names.entries()) {
        const own = lines.filter((line) => line.startsWith(`[${index}] `)).map((line) => line.slice(4));
        expect(own).toEqual([...numberedLines(name, 20_000)]);
      }
    },
    LIMIT_MS,
  );

  test("a prefix has the time in Go's format, the pid, and percent signs", async () => {
    const harness = stage().start();
    const pid = await add(harness, 1, "echo hello", { prefix: "%t id=%% pid=%p %d %T %x%" });
    await finish(harness, 1, pid);
    await stage().end(harness);
    expect(stage().stdout().toString("utf8")).toMatch(
      new RegExp(
        `^[A-Z][a-z]{2} [ 1-3]\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3} id=% pid=${pid} \\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d [A-Z][a-z]{2} [ 1-3]\\d \\d\\d:\\d\\d:\\d\\d %x%hello\n$`,
      ),
    );
  });

  test("an incomplete last line of a worker becomes a line", async () => {
    const harness = stage().start();
    const first = await add(harness, 1, "printf 'whole\\nhalf'", { prefix: "1:" });
    expect(await finish(harness, 1, first)).toBe("whole\nhalf");
    const second = await add(harness, 2, "echo next", { prefix: "2:" });
    await finish(harness, 2, second);
    harness.send("follow", 1, 0, 9, 0);
    const kept = await takeUntil(harness, 1, (got) => got.some(({ method }) => method === "logEnd"));
    expect(linesIn(kept.notifications)).toEqual(["whole", "half", "next"]);
    expect(kept.notifications.some(({ params }) => "partial" in params)).toBe(false);
    await stage().end(harness);
    expect(stage().stdout().toString("utf8")).toBe("1:whole\n1:half\n2:next\n");
  });

  test("binary data is unchanged in text, and valid JSON with U+FFFD for bytes that are not UTF-8", async () => {
    const garbage = Buffer.concat([
      crypto.getRandomValues(Buffer.alloc(60_000)),
      Buffer.from([
        0xe2, 0x82, 0x0a, 0xf0, 0x9f, 0x98, 0x80, 0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf4, 0x90, 0x80, 0x80, 0x0a,
      ]),
    ]);
    writeFileSync(stage().path("garbage"), garbage);
    const text = stage().start();
    await runAll(text, [`cat ${stage().path("garbage")}`], () => "");
    await stage().end(text);
    expect(stage().stdout().equals(garbage)).toBe(true);

    truncateSync(stage().path("stdout"));
    const json = await stage().startJson();
    await runAll(json, [`cat ${stage().path("garbage")}`], () => "");
    await stage().end(json);
    // Byte by byte: decoding first would join bytes that newlines separate.
    const wanted = garbage
      .toString("latin1")
      .split("\n")
      .slice(0, -1)
      .map((line) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(line, "latin1")));
    expect(parseLines(stage().stdout().toString("utf8")).map(({ line }) => line)).toEqual(wanted);
  });

  test(
    "a line of 10 MiB arrives whole, after one prefix",
    async () => {
      const harness = stage().start();
      await runAll(harness, ["head -c 10485760 /dev/zero | tr '\\0' x; echo; echo after"], () => "p ");
      await stage().end(harness);
      const got = stage().stdout();
      expect(got.equals(Buffer.from(`p ${"x".repeat(10_485_760)}\np after\n`))).toBe(true);
    },
    LIMIT_MS,
  );

  test(
    "a line of 1 MiB leaves another writer's lines whole and loses nothing",
    async () => {
      const harness = stage().start();
      const long = "for i in 1 2 3 4; do head -c 1048576 /dev/zero | tr '\\0' x; echo; done";
      await runAll(harness, [long, numbered("b", 10_000)], (index) => (index === 0 ? "" : "other "));
      await stage().end(harness);
      const lines = stage().stdout().toString("latin1").split("\n").slice(0, -1);
      const others = lines.filter((line) => line.startsWith("other "));
      expect(others.map((line) => line.slice(6))).toEqual([...numberedLines("b", 10_000)]);
      const rest = lines.filter((line) => !line.startsWith("other "));
      expect(rest.every((line) => /^x*$/.test(line))).toBe(true);
      expect(rest.join("").length).toBe(4 * 1_048_576);
    },
    LIMIT_MS,
  );

  test(
    "a long line as JSON arrives in marked fragments, and no character is split",
    async () => {
      writeFileSync(stage().path("long"), `a${"€".repeat(100_000)}\nend\n`);
      const harness = await stage().startJson();
      await runAll(harness, [`cat ${stage().path("long")}`], () => "");
      await stage().end(harness);
      const lines = parseLines(stage().stdout().toString("utf8"));
      expect(lines.length).toBeGreaterThan(5);
      expect(lines.map(({ partial }) => partial === true)).toEqual(lines.map((_, index) => index < lines.length - 2));
      expect(
        lines
          .slice(0, -1)
          .map(({ line }) => line)
          .join(""),
      ).toBe(`a${"€".repeat(100_000)}`);
      expect(lines.at(-1)?.line).toBe("end");
    },
    LIMIT_MS,
  );

  test("JSON lines have the time, the fragment, the pid and the escaped line", async () => {
    const harness = await stage().startJson();
    const line = 'quote " backslash \\ tab \t bell \x07 nul \x01 € 😀 \x7f cr \r';
    writeFileSync(stage().path("line"), `${line}\n\n`);
    const pid = await add(harness, 1, `cat ${stage().path("line")}`, { json: '"service":"web","id":7' });
    await finish(harness, 1, pid);
    await stage().end(harness);
    const [first, second] = parseLines(stage().stdout().toString("utf8"));
    expect(Object.keys(first ?? {})).toEqual(["time", "service", "id", "pid", "line"]);
    expect(first).toMatchObject({ service: "web", id: 7, pid, line });
    expect(first?.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/);
    expect(Math.abs(Date.parse(first?.time ?? "") - Date.now())).toBeLessThan(120_000);
    expect(second?.line).toBe("");
  });

  test("the last 8 KiB of a worker's output are its tail, from the start of a line", async () => {
    const harness = stage().start();
    const pid = await add(harness, 1, `${numbered("t", 5000)}; printf 'panic: no newline'`);
    const tail = await finish(harness, 1, pid);
    await stage().end(harness);
    expect(tail.length).toBeGreaterThan(8000);
    expect(tail.length).toBeLessThanOrEqual(8192);
    expect(tail).toMatch(/^t \d+ and some more of a line\n/);
    expect(tail.endsWith("t 5000 and some more of a line\npanic: no newline")).toBe(true);
  });
});
