// Faults inside the engine of a supervisor that runs: each ends it with one sentence and status 70, clients are served
// meanwhile, and the next supervisor answers what was asked.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { compiled } from "./harness/apps.ts";
import { callOf, hasSymbols, poke, Service, symbols } from "./harness/engine.ts";
import { Bench, isAlive, portOf, type Running, signal, supervisorOf, waitFor } from "./harness/service.ts";

const WORKER = compiled("worker");
const CANNOT_GO_ON = "crank: the JavaScript engine cannot go on: ";

let bench: Bench;
let service: Service;
let crank: Running;
beforeEach(async () => {
  bench = new Bench();
  service = new Service(bench);
  crank = await service.start();
  expect(await service.ctl("run", "-wait", "--", WORKER, "one")).toMatchObject({ status: 0 });
});
afterEach(async () => bench.clean());

const answer = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const client = connect(port, "127.0.0.1", () => client.write("once\n"));
    client.on("data", (bytes) => resolve(bytes.toString().split(" ")[0] ?? "")).on("error", reject);
  });

/** Connects again and again while `act` goes on. Returns what was answered, each answer once. */
const servedDuring = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
  const answers = new Set([await answer(portOf(crank))]);
  let goesOn = true;
  const clients = (async () => {
    while (goesOn) {
      answers.add(await answer(portOf(crank)));
      await Bun.sleep(5);
    }
  })();
  await act().finally(() => {
    goesOn = false;
  });
  await clients;
  return [...answers];
};

/** The next event meets the fault, and is answered by the next supervisor. */
const survives = async (before: number, sentence: string): Promise<void> => {
  const answers = await servedDuring(async () => {
    const asked = await service.ctl("ps", "-json");
    expect(asked).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(asked.stdout)).toHaveLength(1);
  });
  expect(answers).toEqual(["one"]);
  expect(isAlive(before)).toBe(false);
  await crank.wrote("stderr", sentence);
  await crank.wrote("stderr", "supervisor ended");
  expect(await service.ctl("run", "-wait", "--", WORKER, "two")).toMatchObject({ status: 0 });
  expect(crank.stderr().split(CANNOT_GO_ON).length - 1).toBe(sentence.startsWith(CANNOT_GO_ON) ? 1 : 0);
};

describe.skipIf(!hasSymbols || process.arch !== "x64")("a supervisor (make engine)", () => {
  /** What the host is called for from then on is this. */
  const breaks = async (code: (at: ReadonlyMap<string, number>) => Uint8Array): Promise<number> => {
    const supervisor = await service.awake(crank);
    const at = symbols();
    poke(supervisor, at.get("dispatch") ?? 0, code(at));
    return supervisor;
  };
  const trap = (number: number) => (at: ReadonlyMap<string, number>) => callOf(at.get("wasm_trap") ?? 0, number);

  test.each([
    [0, "it came upon a state that it holds for impossible"],
    [1, "it divided by zero"],
    [2, "a number is too large for an integer"],
    [3, "it made an integer of what is not a number"],
    [4, "it called a function that is not there"],
    [5, "it copied beyond the end of its memory"],
  ])("that comes upon trap %i is followed by another", async (number, why) => {
    await survives(await breaks(trap(number)), `${CANNOT_GO_ON}${why}.\n`);
  });

  test("that wants more than 256 MiB is followed by another", async () => {
    const before = await breaks((at) => callOf(at.get("wasm_memory_grow") ?? 0, 4096));
    await survives(before, `${CANNOT_GO_ON}it needs more than 256 MiB of memory.\n`);
  });

  test("that recurses without end is followed by another", async () => {
    // call .
    const before = await breaks(() => Uint8Array.of(0xe8, 0xfb, 0xff, 0xff, 0xff));
    await survives(before, `${CANNOT_GO_ON}it ran out of stack.\n`);
  });

  test("that executes what is no instruction is followed by another", async () => {
    // ud2
    await survives(await breaks(() => Uint8Array.of(0x0f, 0x0b)), "ended of SIGILL");
  });

  test("that loops without end is killed after 10 s and followed by another", async () => {
    // jmp .
    const before = await breaks(() => Uint8Array.of(0xeb, 0xfe));
    await survives(before, "has not answered for 10 s");
  });

  test("that accesses what lies outside of its memory is followed by another", async () => {
    const before = await service.awake(crank);
    // Where the host believes the context of the engine.
    poke(before, symbols().get("guest") ?? 0, Uint8Array.of(0, 0, 0xff, 0xff));
    await survives(before, `${CANNOT_GO_ON}it went beyond its memory, or the file of its image is cut off.\n`);
  });
});

describe("a supervisor", () => {
  test.skipIf(!hasSymbols)("whose table of functions is overwritten is followed by another", async () => {
    const before = await service.awake(crank);
    poke(before, symbols().get("wasm_table") ?? 0, new Uint8Array(16 * 256));
    await survives(before, `${CANNOT_GO_ON}it called a function that is not there.\n`);
  });

  test.each(["SIGSEGV", "SIGBUS"] as const)("that another process sends %s is followed by another", async (name) => {
    const before = await service.awake(crank);
    signal(before, name);
    await waitFor("its end", () => !isAlive(before));
    await survives(before, `${CANNOT_GO_ON}a process sent it the signal of a fault.\n`);
  });

  test("that another process stops is killed after 10 s and followed by another", async () => {
    const before = await service.awake(crank);
    signal(before, "SIGSTOP");
    await survives(before, "has not answered for 10 s");
  });

  test("that gets no more memory is followed by another, whatever it was doing, and no deploy is lost or done twice", async () => {
    for (let pages = 0; pages < 6; pages++) {
      const before = await service.awake(crank);
      const size = Number(/VmSize:\s+(\d+)/.exec(await Bun.file(`/proc/${before}/status`).text())?.[1]) * 1024;
      expect(await bench.run(["prlimit", `--pid=${before}`, `--as=${size + pages * 65_536}:`])).toMatchObject({
        status: 0,
      });
      // A spec that is long: it is parsed, compared, put into the journal and into the record.
      const word = `${pages}${"x".repeat(100_000)}`;
      await servedDuring(async () => {
        const flags = ["-env", `LONG=${word}`];
        const deployed = await service.ctl("run", "-wait", ...flags, "--", WORKER, `v${pages}`);
        expect(deployed).toMatchObject({ status: 0, stdout: "Started successfully\n" });
      });
      expect(await answer(portOf(crank))).toBe(`v${pages}`);
      const workers = JSON.parse((await service.ctl("ps", "-json")).stdout);
      expect(workers).toMatchObject([{ state: "ready", id: pages + 2, generation: pages + 2 }]);
    }
    expect(crank.stderr()).toContain(`${CANNOT_GO_ON}the system gives it no more memory.\n`);
  }, 120_000);

  test("that dies of one request each time loses that request, and serves all others", async () => {
    // The first one has started a thread, for which the C library reserves address space.
    const first = await service.awake(crank);
    signal(first, "SIGKILL");
    await waitFor("its end", () => !isAlive(first));
    const before = await service.awake(crank);
    const size = Number(/VmSize:\s+(\d+)/.exec(await Bun.file(`/proc/${before}/status`).text())?.[1]) * 1024;
    // What it starts from then on has as much: enough for what is usual.
    expect(await bench.run(["prlimit", `--pid=${crank.pid}`, `--as=${size + (1 << 18)}:`])).toMatchObject({
      status: 0,
    });
    signal(before, "SIGKILL");
    let heard = "";
    const client = connect(join(bench.directory, "web.ctl"));
    client.on("data", (bytes) => {
      heard += bytes.toString();
    });
    const answers = await servedDuring(async () => {
      client.write(
        `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "info", params: { x: "y".repeat(900_000) } })}\n`,
      );
      await waitFor("an answer", () => heard !== "");
    });
    client.destroy();
    expect(JSON.parse(heard)).toMatchObject({ error: { message: expect.any(String) } });
    expect(answers).toEqual(["one"]);
    expect(crank.stderr().split(`${CANNOT_GO_ON}the system gives it no more memory.`)).toHaveLength(4);
    await crank.wrote("stderr", "A message that ended three supervisors was set aside");
    expect(await service.ctl("ps", "-json")).toMatchObject({ status: 0, stderr: "" });
    expect(supervisorOf(crank)).toBeGreaterThan(0);
  }, 60_000);
});
