// A fleet whose arguments and environments exceed what crank and its keeper can send each other at once.
import { expect, test } from "bun:test";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

const INSTANCES = 30;
const variables = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => ["-env", `V${index}=${"x".repeat(120_000)}`]).flat();

test("a fleet is started as a whole, and ended by SIGTERM", async () => {
  const crank = await web.start();
  const flags = ["-instances", String(INSTANCES), "-start", "300", ...variables(6)];
  expect(await web.ctl("run", ...flags, "--", "sleep", "600")).toMatchObject({ status: 0 });
  await waitFor("all of them", async () => (await web.allPids()).filter((pid) => pid > 0).length === INSTANCES);
  crank.signal("SIGTERM");
  expect(await crank.ended).toMatchObject({ status: 0 });
  expect(crank.stderr()).not.toContain("supervisor");
});

test("a fleet of workers that the kernel refuses to execute is refused with a sentence", async () => {
  await web.start();
  const flags = ["-limit", "stack=1048576", ...variables(3)];
  const refused = await web.ctl("run", ...flags, "--", "sleep", "600");
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("that the kernel grants at this stack limit");
});
