// What workers say on their notify sockets beside READY=1: shown, heeded, and never let through to a terminal as it is.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { UNSAFE } from "../../src/control/printable.ts";
import { Bench, type Ended, isAlive, portOf, ROOT, type Running, waitFor } from "./harness/service.ts";

const TALKER = join(ROOT, "test/apps/talker.py");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

type Shown = {
  readonly pid: number;
  readonly id: number;
  readonly state: string;
  readonly status?: string | undefined;
  readonly errno?: number;
  readonly reloading?: boolean | undefined;
};

const start = (...args: string[]): Promise<Running> =>
  bench.crank("web", ["-bind", "127.0.0.1:0", "-verbose", ...args]);
const run = (flags: readonly string[], ...words: readonly string[]): Promise<Ended> =>
  bench.ctl("web", "run", "-wait", ...flags, "--", "python3", TALKER, ...words);
const ps = async (): Promise<Shown[]> => JSON.parse((await bench.ctl("web", "ps", "-json")).stdout);
const get = async (crank: Running, path: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${portOf(crank)}${path}`)).text();
const say = (crank: Running, words: string): Promise<string> => get(crank, `/say?${encodeURIComponent(words)}`);

/** Until the one worker is shown so. */
const untilShown = (what: Partial<Shown>): Promise<Shown> =>
  waitFor(`a worker with ${JSON.stringify(what)}`, async () => {
    const [worker] = await ps();
    const isSo = worker && Object.entries(what).every(([key, value]) => worker[key as keyof Shown] === value);
    return isSo ? worker : null;
  });

describe("ERRNO=", () => {
  test("said without end leaves all other events where they are, and is told a few times and then counted", async () => {
    const crank = await start();
    await run([], "one");
    const many = Array.from({ length: 60 }, (_, round) =>
      Array.from({ length: 25 }, (_, at) => 1 + ((round * 25 + at) % 130)),
    );
    for (const some of many) await Promise.all(some.map((errno) => say(crank, `ERRNO=${errno}`)));
    await say(crank, "STATUS=done");
    await untilShown({ status: "done" });
    const told = (await bench.ctl("web", "events", "-once")).stdout;
    expect(told).toContain("Generation 1 is in place");
    expect(told.match(/reports a failure/g)?.length).toBe(5);
  });
});

describe("STATUS=", () => {
  test("is shown by ps, status and events, and an empty one takes it back", async () => {
    const crank = await start();
    await run([], "one");
    await say(crank, "STATUS=12 clients left");
    await untilShown({ status: "12 clients left" });
    const status = JSON.parse((await bench.ctl("web", "status", "-json")).stdout);
    expect(status.workers[0].status).toBe("12 clients left");
    expect((await bench.ctl("web", "events", "-once")).stdout).toMatch(/Worker 1 \(.*\) says: 12 clients left/);
    await say(crank, "STATUS=");
    await untilShown({ status: undefined });
  });

  test("with newlines, escape sequences and too much of it harms nobody", async () => {
    const crank = await start();
    await run([], "one");
    await say(crank, "STATUS=\u001b[2J\u009b1m\u202eevil\nrm -rf\nERRNO=2");
    const shown = await untilShown({ errno: 2 });
    expect(shown.status).toBe("\\u001b[2J\\u009b1m\\u202eevil");
    await say(crank, `STATUS=${"x".repeat(6000)}`);
    await waitFor("it to be cut", async () => (await ps())[0]?.status?.length === 512);
    const everything = `${(await bench.ctl("web", "events", "-once")).stdout}${crank.stderr()}${(await bench.ctl("web", "status")).stdout}`;
    expect(everything).toContain("\\u001b[2J");
    expect(everything.replaceAll("\n", "")).not.toMatch(UNSAFE);
  });

  test("that is not UTF-8 is passed over, and what stands beside it is not", async () => {
    const crank = await start();
    await run([], "one");
    await get(crank, "/say?STATUS=fine");
    await get(crank, "/say?STATUS=%ff%fe%0aERRNO=5");
    expect(await untilShown({ errno: 5 })).toMatchObject({ status: "fine" });
  });

  test("outlives the supervisor, and a crank that is killed", async () => {
    const crank = await start("-linger", "0");
    await run([], "one");
    await say(crank, "STATUS=still here");
    await untilShown({ status: "still here" });
    process.kill(crank.pid, "SIGKILL");
    await crank.ended;
    await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    await untilShown({ status: "still here" });
    // What was adopted is no child of anything that the bench could end.
    await bench.ctl("web", "shutdown", "-wait");
  });
});

describe("other words", () => {
  test("RELOADING=1 is shown until READY=1 comes again", async () => {
    const crank = await start();
    await run([], "one");
    await say(crank, "RELOADING=1\nMONOTONIC_USEC=1234567");
    await untilShown({ reloading: true, state: "ready" });
    await say(crank, "READY=1");
    await untilShown({ reloading: undefined, state: "ready" });
  });

  test("STOPPING=1 makes room for another worker, and begins the time that a stop has", async () => {
    const crank = await start("-respawn");
    await run(["-stop", "2"], "one");
    const [first] = await ps();
    await say(crank, "STOPPING=1");
    await waitFor("its end", () => !isAlive(first?.pid ?? 0));
    await untilShown({ id: 2, state: "ready" });
    for (const words of ["goes by itself", "Starting worker 2", "Stopping worker 1", "with SIGKILL"])
      await crank.wrote("stderr", words);
    const said = crank.stderr();
    expect(said.indexOf("Starting worker 2")).toBeLessThan(said.indexOf("Stopping worker 1"));
  });

  test("EXTEND_TIMEOUT_USEC= gives a start and a stop more time", async () => {
    const crank = await start();
    const started = await run(
      ["-start", "5", "-stop", "1"],
      "one",
      "EXTEND_TIMEOUT_USEC=60000000",
      "wait=6",
      "READY=1",
    );
    expect(started).toMatchObject({ status: 0 });
    // It did not get ready in the time that it had at first.
    await crank.wrote("stderr", /is ready after ([6-9]|\d\d)/);
  });

  test("BARRIER=1 lets go of its descriptor when all before it has been taken, and beside other words means nothing", async () => {
    const crank = await start();
    await run([], "one");
    await say(crank, "STATUS=before");
    expect(await get(crank, "/barrier")).toBe("through");
    expect((await ps())[0]?.status).toBe("before");
    await say(crank, "BARRIER=1\nSTATUS=ignored");
    expect(await get(crank, "/barrier")).toBe("through");
    expect((await ps())[0]?.status).toBe("before");
  });
});

describe("MAINPID=", () => {
  test("moves the worker to a process of its own: shown, signalled and waited for there", async () => {
    const crank = await start();
    await run([], "one");
    const [first] = await ps();
    const child = Number(await get(crank, "/move"));
    expect(child).toBeGreaterThan(0);
    await untilShown({ pid: child, id: 1, state: "ready" });
    await crank.wrote("stderr", `Worker 1 is process ${child} from now on, and was ${first?.pid}`);
    await bench.ctl("web", "kill", "-signal", "TERM", "-pid", String(child), "-wait");
    expect((await crank.ended).status).not.toBeNull();
  });

  test.each([
    ["1", "it does not descend from the worker"],
    ["4194303", "there is no such process"],
  ])("of process %s is refused", async (pid, reason) => {
    const crank = await start();
    await run([], "one");
    await say(crank, `MAINPID=${pid}`);
    await waitFor("the refusal", () =>
      crank.stderr().includes(`Worker 1 named process ${pid} as its main one (MAINPID=): ${reason}`),
    );
  });
});
