// Messages of workers on their notify sockets besides READY=1: shown, acted on, and never printed unescaped to a terminal.
import { describe, expect, test } from "bun:test";
import { UNSAFE } from "../../../src/control/printable.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { TALKER } from "../harness/python-apps.ts";
import { Service, type Worker } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service({ flags: ["-verbose"], app: TALKER }));

const say = (words: string): Promise<string> => web.get(`/say?${encodeURIComponent(words)}`);

/** Waits until the one worker is shown like this. */
const untilShown = (what: Partial<Record<keyof Worker, unknown>>): Promise<Worker> =>
  waitFor(`a worker with ${JSON.stringify(what)}`, async () => {
    const [worker] = await web.ps();
    const isSo = worker && Object.entries(what).every(([key, value]) => worker[key as keyof Worker] === value);
    return isSo ? worker : null;
  });

describe("ERRNO=", () => {
  test("sent continuously leaves all other events where they are, and is reported a few times and then counted", async () => {
    await web.start();
    await web.app("one");
    const many = Array.from({ length: 60 }, (_, round) =>
      Array.from({ length: 25 }, (_, at) => 1 + ((round * 25 + at) % 130)),
    );
    for (const some of many) await Promise.all(some.map((errno) => say(`ERRNO=${errno}`)));
    await say("STATUS=done");
    await untilShown({ status: "done" });
    const told = (await web.ctl("events", "-once")).stdout;
    expect(told).toContain("Rolled out generation 1");
    expect(told.match(/reports an error/g)?.length).toBe(5);
  });
});

describe("STATUS=", () => {
  test("is shown by ps, status and events, and an empty one clears it", async () => {
    await web.start();
    await web.app("one");
    await say("STATUS=12 clients left");
    await untilShown({ status: "12 clients left" });
    const status = await web.status();
    expect(status.workers[0]?.status).toBe("12 clients left");
    expect((await web.ctl("events", "-once")).stdout).toMatch(/Worker 1 \(.*\) reports: 12 clients left/);
    await say("STATUS=");
    await untilShown({ status: undefined });
  });

  test("with newlines, escape sequences and too much text does no harm", async () => {
    const crank = await web.start();
    await web.app("one");
    await say("STATUS=\u001b[2J\u009b1m\u202eevil\nrm -rf\nERRNO=2");
    const shown = await untilShown({ errno: 2 });
    expect(shown.status).toBe("\\u001b[2J\\u009b1m\\u202eevil");
    await say(`STATUS=${"x".repeat(6000)}`);
    await waitFor("it to be cut", async () => (await web.ps())[0]?.status?.length === 512);
    const everything = `${(await web.ctl("events", "-once")).stdout}${crank.stderr()}${(await web.ctl("status")).stdout}`;
    expect(everything).toContain("\\u001b[2J");
    expect(everything.replaceAll("\n", "")).not.toMatch(UNSAFE);
  });

  test("that is not UTF-8 is ignored, and the assignments beside it are not", async () => {
    await web.start();
    await web.app("one");
    await web.get("/say?STATUS=fine");
    await web.get("/say?STATUS=%ff%fe%0aERRNO=5");
    expect(await untilShown({ errno: 5 })).toMatchObject({ status: "fine" });
  });

  test("outlives the supervisor, and a crank that is killed", async () => {
    await web.start("-linger", "0");
    await web.app("one");
    await say("STATUS=still here");
    await untilShown({ status: "still here" });
    await web.replace();
    await untilShown({ status: "still here" });
  });
});

describe("other messages:", () => {
  test("RELOADING=1 is shown until READY=1 comes again", async () => {
    await web.start();
    await web.app("one");
    await say("RELOADING=1\nMONOTONIC_USEC=1234567");
    await untilShown({ reloading: true, state: "ready" });
    await say("READY=1");
    await untilShown({ reloading: undefined, state: "ready" });
  });

  test("STOPPING=1 makes room for another worker, and starts the stop timeout", async () => {
    const crank = await web.start("-respawn");
    await web.app("one", "-stop", "2");
    const [first] = await web.ps();
    await say("STOPPING=1");
    await waitFor("its end", () => !isAlive(first?.pid ?? 0));
    await untilShown({ id: 2, state: "ready" });
    for (const words of ["is exiting without a stop signal", "Starting worker 2", "Stopping worker 1", "with SIGKILL"])
      await crank.wrote("stderr", words);
    const said = crank.stderr();
    expect(said.indexOf("Starting worker 2")).toBeLessThan(said.indexOf("Stopping worker 1"));
  });

  test("EXTEND_TIMEOUT_USEC= gives a start and a stop more time", async () => {
    const crank = await web.start();
    const started = await web.app(
      ["one", "EXTEND_TIMEOUT_USEC=60000000", "wait=6", "READY=1"],
      "-start",
      "5",
      "-stop",
      "1",
    );
    expect(started).toMatchObject({ status: 0 });
    // It was not ready in the time that it had at first.
    await crank.wrote("stderr", /is ready after ([6-9]|\d\d)/);
  });

  test("BARRIER=1 releases its descriptor when everything before it has been read, and has no effect beside other messages", async () => {
    await web.start();
    await web.app("one");
    await say("STATUS=before");
    expect(await web.get("/barrier")).toBe("through");
    expect((await web.ps())[0]?.status).toBe("before");
    await say("BARRIER=1\nSTATUS=ignored");
    expect(await web.get("/barrier")).toBe("through");
    expect((await web.ps())[0]?.status).toBe("before");
  });
});

describe("MAINPID=", () => {
  test("moves the worker to a process of its own: shown, signalled and waited for there", async () => {
    const crank = await web.start();
    await web.app("one");
    const [first] = await web.ps();
    const child = Number(await web.get("/move"));
    expect(child).toBeGreaterThan(0);
    await untilShown({ pid: child, id: 1, state: "ready" });
    await crank.wrote("stderr", `The main process of worker 1 is now ${child}, before ${first?.pid}`);
    await web.ctl("kill", "-signal", "TERM", "-pid", String(child), "-wait");
    expect((await crank.ended).status).not.toBeNull();
  });

  test.each([
    ["1", "it does not descend from the worker"],
    ["4194303", "no such process"],
  ])("of process %s is refused", async (pid, reason) => {
    const crank = await web.start();
    await web.app("one");
    await say(`MAINPID=${pid}`);
    await crank.wrote("stderr", `Worker 1 named process ${pid} as its main process (MAINPID=): ${reason}`);
  });
});
