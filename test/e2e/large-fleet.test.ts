// A fleet whose arguments and environments are more than what crank and its keeper say to each other at once.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { Bench, waitFor } from "./harness/service.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const INSTANCES = 30;
const variables = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => ["-env", `V${index}=${"x".repeat(120_000)}`]).flat();

test("is started as a whole, and ended by SIGTERM", async () => {
  const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  const flags = ["-instances", String(INSTANCES), "-start", "300", ...variables(6)];
  expect(await bench.ctl("web", "run", ...flags, "--", "sleep", "600")).toMatchObject({ status: 0 });
  const ps = async (): Promise<{ pid: number | null }[]> =>
    JSON.parse((await bench.ctl("web", "ps", "-json")).stdout || "[]");
  await waitFor("all of them", async () => (await ps()).filter(({ pid }) => pid !== null).length === INSTANCES);
  crank.signal("SIGTERM");
  expect(await crank.ended).toMatchObject({ status: 0 });
  expect(crank.stderr()).not.toContain("supervisor");
});

test("of workers that the kernel would not execute is refused with a sentence", async () => {
  await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  const flags = ["-limit", "stack=1048576", ...variables(3)];
  const refused = await bench.ctl("web", "run", ...flags, "--", "sleep", "600");
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("that the kernel grants at this stack limit");
});
