// Faults inside the engine of a running supervisor: each ends it with one sentence and status 70, clients are served
// meanwhile, and the next supervisor answers pending requests.
import { beforeEach, describe, expect, test } from "bun:test";
import { compiled } from "../harness/apps.ts";
import type { Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";
import { awake, callOf, hasSymbols, poke, symbols } from "./engine.ts";

const WORKER = compiled("worker");
const CANNOT_GO_ON = "crank: the JavaScript engine has failed: ";

const web = eachTest(new Service({ flags: ["-verbose", "-linger", "60"], app: [WORKER] }));
let crank: Running;
beforeEach(async () => {
  crank = await web.start();
  await web.deploy("--", WORKER, "one");
});

/** The version that answers a connection. */
const answer = async (): Promise<string> => (await web.ask("once\n")).split(" ")[0] ?? "";

/** Connects repeatedly while `act` runs. Returns the distinct answers. */
const servedDuring = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
  const answers = new Set([await answer()]);
  let goesOn = true;
  const clients = (async () => {
    while (goesOn) {
      answers.add(await answer());
      await Bun.sleep(5);
    }
  })();
  await act().finally(() => {
    goesOn = false;
  });
  await clients;
  return [...answers];
};

/** The next event triggers the fault, and the next supervisor answers it. */
const survives = async (before: number, sentence: string): Promise<void> => {
  const answers = await servedDuring(async () => {
    const asked = await web.ctl("ps", "-json");
    expect(asked).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(asked.stdout)).toHaveLength(1);
  });
  expect(answers).toEqual(["one"]);
  expect(isAlive(before)).toBe(false);
  await crank.wrote("stderr", sentence);
  await crank.wrote("stderr", /The supervisor (exited|was killed)/);
  expect(await web.app("two")).toMatchObject({ status: 0 });
  expect(crank.stderr().split(CANNOT_GO_ON).length - 1).toBe(sentence.startsWith(CANNOT_GO_ON) ? 1 : 0);
};

describe.skipIf(!hasSymbols || process.arch !== "x64")("a supervisor (make engine)", () => {
  /** From now on every call to the host does this. */
  const breaks = async (code: (at: ReadonlyMap<string, number>) => Uint8Array): Promise<number> => {
    const supervisor = await awake(web);
    const at = symbols();
    poke(supervisor, at.get("dispatch") ?? 0, code(at));
    return supervisor;
  };
  const trap = (number: number) => (at: ReadonlyMap<string, number>) => callOf(at.get("wasm_trap") ?? 0, number);

  test.each([
    [0, "it reached an impossible state"],
    [1, "it divided by zero"],
    [2, "a number is too large for an integer"],
    [3, "it converted a value that is not a number to an integer"],
    [4, "it called a function that does not exist"],
    [5, "it copied beyond the end of its memory"],
  ])("that hits trap %i is replaced", async (number, why) => {
    await survives(await breaks(trap(number)), `${CANNOT_GO_ON}${why}.\n`);
  });

  test("that wants more than 256 MiB is replaced", async () => {
    const before = await breaks((at) => callOf(at.get("wasm_memory_grow") ?? 0, 4096));
    await survives(before, `${CANNOT_GO_ON}it needs more than 256 MiB of memory.\n`);
  });

  test("that recurses without end is replaced", async () => {
    // call .
    const before = await breaks(() => Uint8Array.of(0xe8, 0xfb, 0xff, 0xff, 0xff));
    await survives(before, `${CANNOT_GO_ON}it ran out of stack.\n`);
  });

  test("that executes an invalid instruction is replaced", async () => {
    // ud2
    await survives(await breaks(() => Uint8Array.of(0x0f, 0x0b)), "was killed by SIGILL");
  });

  test("that loops forever is killed after 10 s and replaced", async () => {
    // jmp .
    const before = await breaks(() => Uint8Array.of(0xeb, 0xfe));
    await survives(before, "has not answered for 10 s");
  });

  test("that accesses memory outside its own is replaced", async () => {
    const before = await awake(web);
    // Where the host takes the engine's context to be.
    poke(before, symbols().get("guest") ?? 0, Uint8Array.of(0, 0, 0xff, 0xff));
    await survives(
      before,
      `${CANNOT_GO_ON}it accessed an address outside of its memory, or the file of its image is cut off.\n`,
    );
  });
});

describe("a supervisor", () => {
  test.skipIf(!hasSymbols)("whose table of functions is overwritten is replaced", async () => {
    const before = await awake(web);
    poke(before, symbols().get("wasm_table") ?? 0, new Uint8Array(16 * 256));
    await survives(before, `${CANNOT_GO_ON}it called a function that does not exist.\n`);
  });

  test.each(["SIGSEGV", "SIGBUS"] as const)("that another process sends %s is replaced", async (name) => {
    const before = await awake(web);
    signal(before, name);
    await waitFor("its end", () => !isAlive(before));
    await survives(before, `${CANNOT_GO_ON}a process sent it the signal of a fault.\n`);
  });

  test("that another process stops is killed after 10 s and replaced", async () => {
    const before = await awake(web);
    signal(before, "SIGSTOP");
    await survives(before, "has not answered for 10 s");
  });

  test("that runs out of memory at any point is replaced, and no deploy is lost or done twice", async () => {
    for (let pages = 0; pages < 6; pages++) {
      const before = await awake(web);
      const size = Number(/VmSize:\s+(\d+)/.exec(await Bun.file(`/proc/${before}/status`).text())?.[1]) * 1024;
      expect(await web.bench.run(["prlimit", `--pid=${before}`, `--as=${size + pages * 65_536}:`])).toMatchObject({
        status: 0,
      });
      // A long spec: it is parsed, compared, and written to the journal and the record.
      const word = `${pages}${"x".repeat(100_000)}`;
      await servedDuring(async () => {
        const flags = ["-env", `LONG=${word}`];
        const deployed = await web.run(...flags, "--", WORKER, `v${pages}`);
        expect(deployed).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
      });
      await web.answers(`v${pages}`, "once\n");
      expect(await web.settled(1)).toMatchObject([{ state: "ready", id: pages + 2, generation: pages + 2 }]);
    }
    await crank.wrote("stderr", `${CANNOT_GO_ON}the system has no more memory.\n`);
  }, 120_000);

  test("that dies of one request each time drops that request, and serves all others", async () => {
    // The first one has started a thread, for which the C library reserves address space.
    const first = await awake(web);
    signal(first, "SIGKILL");
    await waitFor("its end", () => !isAlive(first));
    const before = await awake(web);
    const size = Number(/VmSize:\s+(\d+)/.exec(await Bun.file(`/proc/${before}/status`).text())?.[1]) * 1024;
    // Supervisors that start from now on have as much: enough for normal work.
    expect(await web.bench.run(["prlimit", `--pid=${crank.pid}`, `--as=${size + (1 << 18)}:`])).toMatchObject({
      status: 0,
    });
    signal(before, "SIGKILL");
    const client = await web.control();
    const answers = await servedDuring(async () => {
      client.say(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "info", params: { x: "y".repeat(900_000) } })}\n`);
      await client.hears("\n");
    });
    expect(JSON.parse(client.heard)).toMatchObject({ error: { message: expect.any(String) } });
    expect(answers).toEqual(["one"]);
    await crank.wrote("stderr", "Three supervisors crashed on the same message");
    expect(crank.stderr().split(`${CANNOT_GO_ON}the system has no more memory.`)).toHaveLength(4);
    expect(await web.ctl("ps", "-json")).toMatchObject({ status: 0, stderr: "" });
    expect(supervisorOf(crank)).toBeGreaterThan(0);
  }, 60_000);
});
