// The keeper's output thread from outside: sinks that block, fail and come back, and log sockets.
import { expect, test } from "bun:test";
import { constants, readFileSync, readSync, rmSync, truncateSync } from "node:fs";
import { bytesOf, eventually } from "./driver.ts";
import {
  add,
  DATAGRAMS,
  finish,
  flush,
  LIMIT_MS,
  LOG_DATAGRAMS,
  LOG_STDERR,
  linesIn,
  numbered,
  numberedLines,
  readAvailable,
  runAll,
  TEXT,
  takeUntil,
  withEachBuild,
} from "./stage.ts";

withEachBuild("worker output: sinks", (stage) => {
  test(
    "standard output that is not read delays no log line and no exit event, and loses nothing",
    async () => {
      const pipe = stage().makePipe();
      const harness = stage().start({ stdout: pipe });
      const pid = await add(harness, 1, numbered("blocked", 25_000));
      harness.send("log", LOG_STDERR, "said meanwhile");
      await eventually(() => stage().stderr() === "said meanwhile\n");
      // Its pipe has room for all its output; ours does not, and is full by now or soon.
      const tail = finish(harness, 1, pid);
      const ended = { isTrue: false };
      void tail.then(() => {
        ended.isTrue = true;
      });
      const parts: Buffer[] = [];
      await eventually(() => ended.isTrue);
      expect(await tail).toEndWith("blocked 25000 and some more of a line\n");
      await eventually(() => {
        readAvailable(pipe, parts);
        return parts.at(-1)?.toString("utf8").endsWith("blocked 25000 and some more of a line\n");
      });
      await stage().end(harness);
      const lines = Buffer.concat(parts).toString("utf8").split("\n").slice(0, -1);
      expect(lines).toEqual([...numberedLines("blocked", 25_000)]);
    },
    LIMIT_MS,
  );

  test("a worker that floods does not starve the others", async () => {
    const harness = stage().start({ stdout: stage().open("/dev/null", "w") });
    const flood = await add(harness, 1, "exec yes 'a line of the flood'");
    harness.send("follow", 41, 2, 0, 1);
    const pid = await add(harness, 2, "echo here; echo am; echo I");
    const { notifications } = await takeUntil(harness, 41, (got) => got.length >= 3);
    expect(linesIn(notifications)).toEqual(["here", "am", "I"]);
    await finish(harness, 2, pid);
    process.kill(flood, "SIGKILL");
    await finish(harness, 1, flood);
    await stage().end(harness);
  });

  test("crank's own lines go to standard error, each whole, even without a newline", async () => {
    const harness = stage().start();
    for (let i = 0; i < 100; i++) harness.send("log", LOG_STDERR, `line ${i}`);
    await flush(harness);
    expect(stage().stderr()).toBe(Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(""));
    await stage().end(harness);
  });

  test("a full disk is reported once, and output resumes when there is space", async () => {
    const harness = stage().start({ stdout: stage().open("/dev/full", "w") });
    await runAll(harness, [numbered("full", 1000), numbered("again", 1000)], () => "");
    await eventually(() => stage().stderr() !== "");
    await flush(harness);
    expect(stage().stderr()).toMatch(
      /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d WARNING: cannot write to standard output: No space left on device; lines are lost until this succeeds again\n$/,
    );
    await stage().end(harness);
  });

  test("a write that fails halfway leaves a partial line, and the next write starts a new line", async () => {
    const limited = stage().start({ through: ["prlimit", "--fsize=4096"] });
    await runAll(limited, [numbered("part", 1000)], () => "");
    await eventually(() => stage().stderr().includes("File too large"));
    expect(stage().stdout().length).toBe(4096);
    truncateSync(stage().path("stdout"));
    await runAll(limited, ["echo back"], () => "");
    expect(stage().stdout().toString("utf8")).toBe("\nback\n");
    await stage().end(limited);
  });

  test("standard error that is not read delays nothing, and excess lines are dropped whole and counted", async () => {
    const pipe = stage().makePipe();
    const harness = stage().start({ stderr: pipe });
    for (let i = 0; i < 2000; i++) harness.send("log", LOG_STDERR, `line ${i} ${"x".repeat(1000)}`);
    await finish(harness, 1, await add(harness, 1, "echo still here"));
    await eventually(() => stage().stdout().toString("utf8") === "still here\n");
    const parts: Buffer[] = [];
    const text = (): string => Buffer.concat(parts).toString("utf8");
    await eventually(() => {
      readAvailable(pipe, parts);
      return text().includes("lines lost: ");
    });
    const lines = text().split("\n").slice(0, -1);
    const kept = lines.filter((line) => /^line \d+ x{1000}$/.test(line)).length;
    expect(kept).toBeGreaterThan(200);
    expect(lines.length).toBe(kept + 1);
    expect(text()).toContain(`standard error was blocked; lines lost: ${2000 - kept}\n`);
    expect(await harness.end()).toBe(0);
  });

  test("a reader that leaves and returns misses only the lines in between", async () => {
    const pipe = stage().makePipe();
    const writeEnd = stage().open(stage().path("pipe"), constants.O_WRONLY);
    const harness = stage().start({ stdout: writeEnd });
    await runAll(harness, ["echo first"], () => "");
    const part = Buffer.alloc(1000);
    expect(part.subarray(0, readSync(pipe, part)).toString("utf8")).toBe("first\n");
    stage().close(pipe);
    await runAll(harness, ["echo lost"], () => "");
    await eventually(() => stage().stderr().includes("Broken pipe"));
    const again = stage().open(stage().path("pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
    await runAll(harness, ["echo back"], () => "");
    expect(part.subarray(0, readSync(again, part)).toString("utf8")).toBe("back\n");
    await eventually(() => stage().stderr().includes("works again; lines lost: 1"));
    await stage().end(harness);
  });

  test("a shared pipe is not made non-blocking", async () => {
    const pipe = stage().makePipe();
    const writeEnd = stage().open(stage().path("pipe"), constants.O_WRONLY);
    const harness = stage().start({ stdout: writeEnd });
    await runAll(harness, ["echo here"], () => "");
    const info = readFileSync(`/proc/${process.pid}/fdinfo/${writeEnd}`, "utf8");
    const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? "0", 8);
    expect(flags & constants.O_NONBLOCK).toBe(0);
    expect(pipe).toBeGreaterThan(0);
    await stage().end(harness);
  });

  test("a log socket that is bound late, or bound again, gets all later lines", async () => {
    const harness = stage().start();
    const receive = async (): Promise<() => Promise<string>> => {
      const receiver = stage().start({ words: ["receive", stage().path("log"), "1"] });
      await receiver.reply("bound");
      return async () => {
        const got = bytesOf(await receiver.reply("datagram")).toString("utf8");
        expect(await receiver.end()).toBe(0);
        rmSync(stage().path("log"), { force: true });
        return got;
      };
    };
    harness.send("format", TEXT, DATAGRAMS, stage().path("log"), "");
    await harness.reply("formatted");
    harness.send("log", LOG_DATAGRAMS, "to nobody");
    await eventually(() => stage().stderr().includes("cannot write to the log socket"));
    const first = await receive();
    harness.send("log", LOG_DATAGRAMS, "to the first");
    expect(await first()).toBe("to the first");
    harness.send("execute");
    harness.send("resume");
    const second = await receive();
    harness.send("log", LOG_DATAGRAMS, "to the second");
    expect(await second()).toBe("to the second");
    await stage().end(harness);
  });

  test("a log socket gets one datagram per line, with the header, from workers and from crank", async () => {
    const receiver = stage().start({ words: ["receive", stage().path("log"), "4"] });
    await receiver.reply("bound");
    const harness = stage().start();
    harness.send("format", TEXT, DATAGRAMS, stage().path("log"), "<30>%T web: ");
    await harness.reply("formatted");
    await runAll(harness, ["printf 'one\\n\\nthree'"], () => "w ");
    harness.send("log", LOG_DATAGRAMS, "ours");
    const got: string[] = [];
    for (let i = 0; i < 4; i++) got.push(bytesOf(await receiver.reply("datagram")).toString("utf8"));
    const header = /^<30>[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d web: /;
    expect(got.every((message) => header.test(message))).toBe(true);
    expect(got.map((message) => message.replace(header, ""))).toEqual(["w one", "w ", "w three", "ours"]);
    expect(await receiver.end()).toBe(0);
    // No reader is left: this is reported once, and the keeper continues.
    await runAll(harness, ["echo lost"], () => "w ");
    await eventually(() => stage().stderr().includes("cannot write to the log socket"));
    expect(stage().stdout().length).toBe(0);
    await stage().end(harness);
  });
});
