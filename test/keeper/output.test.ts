// The keeper's output thread from outside: what comes out of standard output, standard error, log sockets and followers.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Build,
  bytesOf,
  compileHarness,
  eventually,
  type Harness,
  startHarness,
  temporaryDirectory,
} from "./output-driver.ts";

const TEXT = 0;
const JSON_LINES = 1;
const STDOUT = 0;
const DATAGRAMS = 1;
const KEEP = 1;
const LOG_STDERR = 2;
const LOG_DATAGRAMS = 3;
const LIMIT_MS = 60_000;

const builds = temporaryDirectory();
afterAll(builds.remove);

/** Adds a worker; resolves to its pid. */
const add = async (
  harness: Harness,
  worker: number,
  command: string,
  options: { readonly prefix?: string; readonly json?: string } = {},
): Promise<number> => {
  harness.send("add", worker, KEEP, options.prefix ?? "", options.json ?? "", command);
  return Number((await harness.reply("added"))[2]);
};

/** Waits for a worker's end as the keeper does, and takes it away; resolves to its last lines. */
const finish = async (harness: Harness, worker: number, pid: number): Promise<string> => {
  harness.send("wait", pid);
  await harness.reply("gone");
  harness.send("drain", worker);
  const tail = bytesOf(await harness.reply("drained")).toString("latin1");
  harness.send("remove", worker);
  return tail;
};

const flush = async (harness: Harness): Promise<void> => {
  harness.send("flush", 20_000);
  expect((await harness.reply("flushed"))[1]).toBe("0");
};

/** Runs commands as workers, each to its end. */
const runAll = async (harness: Harness, commands: readonly string[], prefix: (index: number) => string) => {
  const pids: number[] = [];
  for (const [index, command] of commands.entries()) {
    pids.push(await add(harness, index + 1, command, { prefix: prefix(index), json: `"id":${index}` }));
  }
  for (const [index, pid] of pids.entries()) await finish(harness, index + 1, pid);
  await flush(harness);
};

type LogLine = {
  readonly time: string;
  readonly id?: number;
  readonly pid: number;
  readonly line: string;
  readonly partial?: true;
};
// The tests check what these lines are; a wrong one fails them.
const parseLines = (text: string): readonly LogLine[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine);

type Notification = { readonly method: string; readonly params: { readonly worker: number; readonly line: string } };

/** Takes what waits for a follower until `enough` says so. */
const takeUntil = async (
  harness: Harness,
  follower: number,
  enough: (notifications: readonly Notification[]) => boolean,
): Promise<{ readonly notifications: readonly Notification[]; readonly dropped: number }> => {
  const notifications: Notification[] = [];
  let dropped = 0;
  while (!enough(notifications)) {
    harness.send("ready");
    await harness.reply("ready");
    harness.send("take", follower, 100_000);
    const taken = await harness.reply("taken");
    dropped += Number(taken[2]);
    const text = bytesOf(taken).toString("utf8");
    expect(text === "" || text.endsWith("\n")).toBe(true);
    for (const line of text.split("\n").slice(0, -1)) notifications.push(JSON.parse(line) as Notification);
  }
  return { notifications, dropped };
};

const linesIn = (notifications: readonly Notification[]): readonly string[] =>
  notifications.filter(({ method }) => method === "log").map(({ params }) => params.line);

/** Adds what can be read now of a pipe that does not block. */
const readAvailable = (pipe: number, parts: Buffer[]): void => {
  const part = Buffer.alloc(65_536);
  try {
    parts.push(part.subarray(0, readSync(pipe, part)));
  } catch {
    // EAGAIN: nothing there now.
  }
};

const numbered = (name: string, count: number): string => `seq -f '${name} %.0f and some more of a line' 1 ${count}`;
const numberedLines = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${name} ${index + 1} and some more of a line`);

const suite = (build: Build): void => {
  const here = { path: "", remove: () => {} };
  const open: number[] = [];
  let program = "";
  let outFd = -1;
  let errFd = -1;

  const path = (name: string): string => join(here.path, name);
  const stdout = (): Buffer => readFileSync(path("stdout"));
  const stderr = (): string => readFileSync(path("stderr"), "utf8");
  const start = (fd = outFd): Harness => startHarness(program, { stdout: fd, stderr: errFd });
  const startJson = async (): Promise<Harness> => {
    const harness = start();
    harness.send("format", JSON_LINES, STDOUT, "", "");
    await harness.reply("formatted");
    return harness;
  };
  /** A sanitizer that finds something changes the status. */
  const endWell = async (harness: Harness): Promise<void> => {
    expect(await harness.end(), stderr()).toBe(0);
  };
  const openFile = (name: string, flags: number | string): number => {
    const fd = openSync(name, flags);
    open.push(fd);
    return fd;
  };
  /** A pipe with a name; opened for both, so that it never ends. */
  const makePipe = (): number => {
    spawnSync("mkfifo", [path("pipe")]);
    return openFile(path("pipe"), constants.O_RDWR | constants.O_NONBLOCK);
  };

  beforeAll(() => {
    program = compileHarness(builds.path, build);
  }, LIMIT_MS);
  beforeEach(() => {
    Object.assign(here, temporaryDirectory());
    outFd = openFile(path("stdout"), "a");
    errFd = openFile(path("stderr"), "a");
  });
  afterEach(() => {
    for (const fd of open.splice(0)) closeSync(fd);
    here.remove();
  });

  test(
    "numbered lines of several writers all arrive whole, in order for each writer, none lost and none doubled",
    async () => {
      const harness = start();
      const names = ["a", "b", "c", "d"];
      await runAll(
        harness,
        names.map((name) => numbered(name, 20_000)),
        (index) => `[${index}] `,
      );
      await endWell(harness);
      const lines = stdout().toString("utf8").split("\n").slice(0, -1);
      expect(lines.length).toBe(80_000);
      for (const [index, name] of names.entries()) {
        const own = lines.filter((line) => line.startsWith(`[${index}] `)).map((line) => line.slice(4));
        expect(own).toEqual([...numberedLines(name, 20_000)]);
      }
    },
    LIMIT_MS,
  );

  test("a prefix has the time as Go writes it, the pid, and per cent signs", async () => {
    const harness = start();
    const pid = await add(harness, 1, "echo hello", { prefix: "%t id=%% pid=%p %d %T %x%" });
    await finish(harness, 1, pid);
    await endWell(harness);
    expect(stdout().toString("utf8")).toMatch(
      new RegExp(
        `^[A-Z][a-z]{2} [ 1-3]\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3} id=% pid=${pid} \\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d [A-Z][a-z]{2} [ 1-3]\\d \\d\\d:\\d\\d:\\d\\d %x%hello\n$`,
      ),
    );
  });

  test("half a line at a worker's end becomes a line", async () => {
    const harness = start();
    const first = await add(harness, 1, "printf 'whole\\nhalf'", { prefix: "1:" });
    expect(await finish(harness, 1, first)).toBe("whole\nhalf");
    const second = await add(harness, 2, "echo next", { prefix: "2:" });
    await finish(harness, 2, second);
    harness.send("follow", 1, 0, 9, 0);
    const kept = await takeUntil(harness, 1, (got) => got.some(({ method }) => method === "logEnd"));
    expect(linesIn(kept.notifications)).toEqual(["whole", "half", "next"]);
    expect(kept.notifications.some(({ params }) => "partial" in params)).toBe(false);
    await endWell(harness);
    expect(stdout().toString("utf8")).toBe("1:whole\n1:half\n2:next\n");
  });

  test("binary garbage passes as it is in text, and as valid JSON with U+FFFD for what is not UTF-8", async () => {
    const garbage = Buffer.concat([
      crypto.getRandomValues(Buffer.alloc(60_000)),
      Buffer.from([
        0xe2, 0x82, 0x0a, 0xf0, 0x9f, 0x98, 0x80, 0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf4, 0x90, 0x80, 0x80, 0x0a,
      ]),
    ]);
    writeFileSync(path("garbage"), garbage);
    const text = start();
    await runAll(text, [`cat ${path("garbage")}`], () => "");
    await endWell(text);
    expect(stdout().equals(garbage)).toBe(true);

    outFd = openFile(path("stdout"), "w");
    const json = await startJson();
    await runAll(json, [`cat ${path("garbage")}`], () => "");
    await endWell(json);
    // Byte by byte, because decoding first would join what the newlines keep apart.
    const wanted = garbage
      .toString("latin1")
      .split("\n")
      .slice(0, -1)
      .map((line) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(line, "latin1")));
    expect(parseLines(stdout().toString("utf8")).map(({ line }) => line)).toEqual(wanted);
  });

  test(
    "a line of 10 MiB arrives as it is, behind one prefix",
    async () => {
      const harness = start();
      await runAll(harness, ["head -c 10485760 /dev/zero | tr '\\0' x; echo; echo after"], () => "p ");
      await endWell(harness);
      const got = stdout();
      expect(got.equals(Buffer.from(`p ${"x".repeat(10_485_760)}\np after\n`))).toBe(true);
    },
    LIMIT_MS,
  );

  test(
    "a line of 1 MiB beside another writer leaves the other's lines whole, and loses nothing",
    async () => {
      const harness = start();
      const long = "for i in 1 2 3 4; do head -c 1048576 /dev/zero | tr '\\0' x; echo; done";
      await runAll(harness, [long, numbered("b", 10_000)], (index) => (index === 0 ? "" : "other "));
      await endWell(harness);
      const lines = stdout().toString("latin1").split("\n").slice(0, -1);
      const others = lines.filter((line) => line.startsWith("other "));
      expect(others.map((line) => line.slice(6))).toEqual([...numberedLines("b", 10_000)]);
      const rest = lines.filter((line) => !line.startsWith("other "));
      expect(rest.every((line) => /^x*$/.test(line))).toBe(true);
      expect(rest.join("").length).toBe(4 * 1_048_576);
    },
    LIMIT_MS,
  );

  test(
    "a long line as JSON comes in pieces that are marked, and no character is cut in two",
    async () => {
      writeFileSync(path("long"), `a${"€".repeat(100_000)}\nend\n`);
      const harness = await startJson();
      await runAll(harness, [`cat ${path("long")}`], () => "");
      await endWell(harness);
      const lines = parseLines(stdout().toString("utf8"));
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

  test("JSON lines have the time, the fragment, the pid and the line with everything escaped", async () => {
    const harness = await startJson();
    const line = 'quote " backslash \\ tab \t bell \x07 nul \x01 € 😀 \x7f cr \r';
    writeFileSync(path("line"), `${line}\n\n`);
    const pid = await add(harness, 1, `cat ${path("line")}`, { json: '"service":"web","id":7' });
    await finish(harness, 1, pid);
    await endWell(harness);
    const [first, second] = parseLines(stdout().toString("utf8"));
    expect(Object.keys(first ?? {})).toEqual(["time", "service", "id", "pid", "line"]);
    expect(first).toMatchObject({ service: "web", id: 7, pid, line });
    expect(new Date(first?.time ?? "").toISOString()).toBe(first?.time ?? "missing");
    expect(second?.line).toBe("");
  });

  test("the last 8 KiB of a worker's output are its tail, from the start of a line", async () => {
    const harness = start();
    const pid = await add(harness, 1, `${numbered("t", 5000)}; printf 'panic: no newline'`);
    const tail = await finish(harness, 1, pid);
    await endWell(harness);
    expect(tail.length).toBeGreaterThan(8000);
    expect(tail.length).toBeLessThanOrEqual(8192);
    expect(tail).toMatch(/^t \d+ and some more of a line\n/);
    expect(tail.endsWith("t 5000 and some more of a line\npanic: no newline")).toBe(true);
  });

  test("a follower gets the last lines that it asks for, of one worker or of all, and is told the end", async () => {
    const harness = start();
    await finish(harness, 1, await add(harness, 1, "for i in 1 2 3 4 5; do echo one $i; done"));
    await finish(harness, 2, await add(harness, 2, "echo two 1"));
    harness.send("follow", 11, 0, 3, 0);
    const all = await takeUntil(harness, 11, (got) => got.some(({ method }) => method === "logEnd"));
    expect(linesIn(all.notifications)).toEqual(["one 4", "one 5", "two 1"]);
    harness.send("follow", 12, 1, 2, 0);
    const one = await takeUntil(harness, 12, (got) => got.some(({ method }) => method === "logEnd"));
    expect(linesIn(one.notifications)).toEqual(["one 4", "one 5"]);
    expect(one.notifications[0]).toMatchObject({ jsonrpc: "2.0", method: "log", params: { worker: 1 } });
    harness.send("follow", 13, 9, 10, 0);
    const none = await takeUntil(harness, 13, (got) => got.length > 0);
    expect(none.notifications).toEqual([{ jsonrpc: "2.0", method: "logEnd", params: {} } as unknown as Notification]);
    await endWell(harness);
  });

  test("a follower that takes nothing loses whole lines, which are counted; the rest stays in order", async () => {
    const harness = start();
    harness.send("follow", 21, 0, 0, 1);
    await runAll(harness, [numbered("f", 30_000)], () => "");
    const { notifications, dropped } = await takeUntil(harness, 21, (got) => got.length > 1000);
    harness.send("take", 21, 500_000);
    const taken = await harness.reply("taken");
    const rest = bytesOf(taken).toString("utf8").split("\n").slice(0, -1);
    const lines = [...linesIn(notifications), ...rest.map((line) => (JSON.parse(line) as Notification).params.line)];
    expect(lines).toEqual([...numberedLines("f", 30_000).slice(0, lines.length)]);
    expect(dropped + Number(taken[2])).toBeGreaterThan(0);
    harness.send("unfollow", 21);
    await endWell(harness);
  });

  test("a follower that takes gets every line that follows", async () => {
    const harness = start();
    harness.send("follow", 31, 0, 0, 1);
    const pid = await add(harness, 1, "for i in 1 2 3; do echo $i; done; sleep 0.05; echo 4");
    const { notifications, dropped } = await takeUntil(harness, 31, (got) => got.length >= 4);
    expect(linesIn(notifications)).toEqual(["1", "2", "3", "4"]);
    expect(dropped).toBe(0);
    await finish(harness, 1, pid);
    await endWell(harness);
  });

  test(
    "standard output that nobody reads holds up neither a log line nor the report of an end, and loses nothing",
    async () => {
      const pipe = makePipe();
      const harness = start(pipe);
      const pid = await add(harness, 1, numbered("blocked", 25_000));
      harness.send("log", LOG_STDERR, "said meanwhile");
      await eventually(() => stderr() === "said meanwhile\n");
      // Its pipe has room for all that it says; ours has not, and is full by now or soon.
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
      await endWell(harness);
      const lines = Buffer.concat(parts).toString("utf8").split("\n").slice(0, -1);
      expect(lines).toEqual([...numberedLines("blocked", 25_000)]);
    },
    LIMIT_MS,
  );

  test("a worker that floods leaves the others their turn", async () => {
    const harness = start(openFile("/dev/null", "w"));
    const flood = await add(harness, 1, "exec yes 'a line of the flood'");
    harness.send("follow", 41, 2, 0, 1);
    const pid = await add(harness, 2, "echo here; echo am; echo I");
    const { notifications } = await takeUntil(harness, 41, (got) => got.length >= 3);
    expect(linesIn(notifications)).toEqual(["here", "am", "I"]);
    await finish(harness, 2, pid);
    process.kill(flood, "SIGKILL");
    await finish(harness, 1, flood);
    await endWell(harness);
  });

  test("our own lines go to standard error, each whole, also when they lack a newline", async () => {
    const harness = start();
    for (let i = 0; i < 100; i++) harness.send("log", LOG_STDERR, `line ${i}`);
    await flush(harness);
    expect(stderr()).toBe(Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(""));
    await endWell(harness);
  });

  test("a disk that is full is reported once, and output goes on when it works again", async () => {
    const harness = start(openFile("/dev/full", "w"));
    await runAll(harness, [numbered("full", 1000), numbered("again", 1000)], () => "");
    await eventually(() => stderr() !== "");
    await flush(harness);
    expect(stderr()).toMatch(
      /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[manager\] WARNING: cannot write to standard output: No space left on device; lines are lost until it works again\n$/,
    );
    await endWell(harness);
  });

  test("a write that fails half way leaves a piece of a line, and the next one begins anew", async () => {
    const limited = startHarness("prlimit", { stdout: outFd, stderr: errFd }, "--fsize=4096", program);
    await runAll(limited, [numbered("part", 1000)], () => "");
    await eventually(() => stderr().includes("File too large"));
    expect(stdout().length).toBe(4096);
    truncateSync(path("stdout"));
    await runAll(limited, ["echo back"], () => "");
    expect(stdout().toString("utf8")).toBe("\nback\n");
    await endWell(limited);
  });

  test("standard error that nobody reads holds nobody up; what is too much is lost in whole lines, and counted", async () => {
    const pipe = makePipe();
    const harness = startHarness(program, { stdout: outFd, stderr: pipe });
    for (let i = 0; i < 2000; i++) harness.send("log", LOG_STDERR, `line ${i} ${"x".repeat(1000)}`);
    await finish(harness, 1, await add(harness, 1, "echo still here"));
    await eventually(() => stdout().toString("utf8") === "still here\n");
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

  test("a reader that goes and comes back costs the lines in between, and nothing else", async () => {
    const pipe = makePipe();
    const writeEnd = openFile(path("pipe"), constants.O_WRONLY);
    const harness = start(writeEnd);
    await runAll(harness, ["echo first"], () => "");
    const part = Buffer.alloc(1000);
    expect(part.subarray(0, readSync(pipe, part)).toString("utf8")).toBe("first\n");
    closeSync(open.splice(open.indexOf(pipe), 1)[0] ?? -1);
    await runAll(harness, ["echo lost"], () => "");
    await eventually(() => stderr().includes("Broken pipe"));
    const again = openFile(path("pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
    await runAll(harness, ["echo back"], () => "");
    expect(part.subarray(0, readSync(again, part)).toString("utf8")).toBe("back\n");
    await eventually(() => stderr().includes("works again; lines lost: 1"));
    await endWell(harness);
  });

  test("a pipe that others share is not made non-blocking", async () => {
    const pipe = makePipe();
    const writeEnd = openFile(path("pipe"), constants.O_WRONLY);
    const harness = start(writeEnd);
    await runAll(harness, ["echo here"], () => "");
    const info = readFileSync(`/proc/${process.pid}/fdinfo/${writeEnd}`, "utf8");
    const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? "0", 8);
    expect(flags & constants.O_NONBLOCK).toBe(0);
    expect(pipe).toBeGreaterThan(0);
    await endWell(harness);
  });

  test("a log socket gets one datagram a line behind the header, from workers and from us", async () => {
    const receiver = startHarness(program, { stdout: outFd, stderr: errFd }, "receive", path("log"), "4");
    await receiver.reply("bound");
    const harness = start();
    harness.send("format", TEXT, DATAGRAMS, path("log"), "<30>%T web: ");
    await harness.reply("formatted");
    await runAll(harness, ["printf 'one\\n\\nthree'"], () => "w ");
    harness.send("log", LOG_DATAGRAMS, "ours");
    const got: string[] = [];
    for (let i = 0; i < 4; i++) got.push(bytesOf(await receiver.reply("datagram")).toString("utf8"));
    const header = /^<30>[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d web: /;
    expect(got.every((message) => header.test(message))).toBe(true);
    expect(got.map((message) => message.replace(header, ""))).toEqual(["w one", "w ", "w three", "ours"]);
    expect(await receiver.end()).toBe(0);
    // Nobody is there any more: it is told once, and nothing ends.
    await runAll(harness, ["echo lost"], () => "w ");
    await eventually(() => stderr().includes("cannot write to the log socket"));
    expect(stdout().length).toBe(0);
    await endWell(harness);
  });

  test("an execution in place goes on in the middle of a line, with kept lines, followers, tail and format", async () => {
    const harness = await startJson();
    const pid = await add(
      harness,
      1,
      `echo whole; printf 'first '; while [ ! -e ${path("go")} ]; do sleep 0.01; done; echo second`,
      {
        json: '"id":5',
      },
    );
    harness.send("follow", 51, 0, 0, 1);
    await eventually(() => stdout().length > 0);
    harness.send("execute");
    writeFileSync(path("go"), "");
    expect(await finish(harness, 1, pid)).toBe("whole\nfirst second\n");
    await flush(harness);
    const lines = parseLines(stdout().toString("utf8"));
    expect(lines.map(({ line }) => line)).toEqual(["whole", "first second"]);
    expect(lines.every((line) => line.id === 5 && line.pid === pid)).toBe(true);
    const followed = await takeUntil(harness, 51, (got) => linesIn(got).at(-1) === "first second");
    expect(linesIn(followed.notifications).at(-1)).toBe("first second");
    harness.send("follow", 52, 0, 10, 0);
    const kept = await takeUntil(harness, 52, (got) => got.some(({ method }) => method === "logEnd"));
    expect(linesIn(kept.notifications)).toEqual(["whole", "first second"]);
    await endWell(harness);
  });

  test(
    "executions in place lose and double no line, also while standard output is blocked",
    async () => {
      const pipe = makePipe();
      const harness = start(pipe);
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
      await endWell(harness);
      const lines = Buffer.concat(parts).toString("utf8").split("\n").slice(0, -1);
      expect(lines).toEqual([...numberedLines("x", 30_000)]);
    },
    LIMIT_MS,
  );
};

describe("the output thread", () => suite("plain"));
describe("the output thread under the address and undefined behaviour sanitizers", () => suite("address"));
describe("the output thread under the thread sanitizer", () => suite("thread"));
