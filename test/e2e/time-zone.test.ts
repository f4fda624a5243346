// One clock for workers' lines and crank's own, in zones that the runtime does not know.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { Bench } from "./harness/service.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

test("a zone that is described as POSIX does is the one of both, and info says it", async () => {
  const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"], { env: { TZ: "XXX-5:30" } });
  const shell = 'echo here; printf READY=1 >&"$NOTIFY_FD"; exec sleep 600';
  await bench.ctl("web", "run", "-wait", "-sockets-optional", "--", "bash", "-c", shell);
  await crank.wrote("stdout", /here/);
  const [, its] = /^\w+ +\d+ (\d+:\d+):/m.exec(crank.stdout()) ?? [];
  const [, own] = /(\d+:\d+):\d+ \[manager\] .*is ready/.exec(crank.stderr()) ?? [];
  const now = Date.now() + 5.5 * 3600 * 1000;
  const expected = [0, 1, 2].map((minutes) => new Date(now - minutes * 60_000).toISOString().slice(11, 16));
  expect(expected).toContain(its ?? "nothing");
  expect(expected).toContain(own ?? "nothing");
  expect((await bench.ctl("web", "info")).stdout).toContain("UTC+05:30");
});
