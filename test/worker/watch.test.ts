// Servers that listen by themselves and are watched by the library.
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { Service } from "../e2e/harness/service.ts";
import { Talk } from "../e2e/harness/talk.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { RUNTIMES } from "./runtimes.ts";

const web = eachTest(new Service());

test.each([...RUNTIMES])("on %s a server that listens by itself is drained too", async (_, runtime) => {
  const path = web.path("go-on");
  const server = web.bench.start([...runtime, join(ROOT, "test/apps/library/watch.mjs"), path], { cwd: ROOT });
  const port = await waitFor("the port", () => /port (\d+)/.exec(server.stdout())?.[1]);
  const talk = await Talk.open(Number(port), "plain");
  talk.request("/");
  await server.wrote("stdout", "asked");
  server.signal("SIGTERM");
  await server.wrote("stdout", "draining");
  writeFileSync(path, "");
  expect(await talk.isEnded()).toBe("closed");
  expect(talk.heard).toMatch(/connection: close\r\n/i);
  expect(talk.heard).toContain("answer\n");
  const ended = await server.ended;
  expect(ended.stdout).toContain("1 drained");
  expect(ended.status).toBe(0);
});
