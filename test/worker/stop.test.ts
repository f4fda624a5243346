// A process that uses crank/worker at its stop signal.
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, type Running } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { Service } from "../e2e/harness/service.ts";
import { RUNTIMES } from "./runtimes.ts";

const PROGRAM = join(ROOT, "test/apps/library/stop.mjs");

const web = eachTest(new Service());

describe.each([...RUNTIMES])("on %s", (_, runtime) => {
  const start = async (...args: readonly string[]): Promise<Running> => {
    const running = web.bench.start([...runtime, PROGRAM, ...args], {
      cwd: ROOT,
      env: { STOP_TIMEOUT_USEC: "1500000" },
    });
    await running.wrote("stdout", "running");
    return running;
  };

  test.each(["SIGTERM", "SIGUSR2", "SIGINT"] as const)(
    "a process exits with 0 after its handlers at %s",
    async (signal) => {
      const running = await start("end");
      running.signal(signal);
      const { status, stdout } = await running.ended;
      expect(stdout).toBe(`running\nstopping for ${signal} within 1500\ndone\n`);
      expect(status).toBe(0);
    },
  );

  test("a failing handler's error is printed, and the process exits with 1", async () => {
    const running = await start("fail");
    running.signal("SIGTERM");
    const { status, stderr } = await running.ended;
    expect(stderr).toContain("the cupboard is locked");
    expect(status).toBe(1);
  });

  test("a second signal of the same kind is ignored", async () => {
    const path = web.path("go-on");
    const running = await start("stay", path);
    running.signal("SIGTERM");
    await running.wrote("stdout", "stopping");
    running.signal("SIGTERM");
    writeFileSync(path, "");
    const { status, stdout } = await running.ended;
    expect(stdout).toBe("running\nstopping for SIGTERM within 1500\ndone\n");
    expect(status).toBe(0);
  });

  test.each([
    ["SIGUSR2", "SIGTERM"],
    ["SIGINT", "SIGINT"],
  ] as const)("after %s, %s ends the process at once", async (first, second) => {
    const running = await start("stay", "/nowhere");
    running.signal(first);
    await running.wrote("stdout", "stopping");
    running.signal(second);
    expect((await running.ended).stdout).not.toContain("done");
  });
});
