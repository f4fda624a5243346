// One clock for workers' lines and crank's own, in zones that the runtime does not know.
import { expect, test } from "bun:test";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { Terminals } from "../harness/terminal.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());
const terminals = new Terminals(web);

test("a zone in POSIX notation is used for both, and info shows it", async () => {
  const crank = await web.startWith({ env: { TZ: "XXX-5:30" } });
  const shell = 'echo here; printf READY=1 >&"$NOTIFY_FD"; exec sleep 600';
  await web.run("-sockets-optional", "--", "bash", "-c", shell);
  await crank.wrote("stdout", /here/);
  await crank.wrote("stderr", "is ready");
  const [, its] = /^\w+ +\d+ (\d+:\d+):/m.exec(crank.stdout()) ?? [];
  const [, own] = /(\d+:\d+):\d+ .*is ready/.exec(crank.stderr()) ?? [];
  const now = Date.now() + 5.5 * 3600 * 1000;
  const expected = [0, 1, 2].map((minutes) => new Date(now - minutes * 60_000).toISOString().slice(11, 16));
  expect(expected).toContain(its ?? "nothing");
  expect(expected).toContain(own ?? "nothing");
  expect((await web.ctl("info")).stdout).toContain("UTC+05:30");
});

test.each([
  ["a file that does not exist", { TZ: ":/nonexistent" }, 0],
  ["nothing", { TZ: "" }, 0],
  ["a name in angle brackets", { TZ: "<+0530>-5:30" }, 330],
  ["nonsense", { TZ: "=;\u00ff-99:99:99", LANG: "C" }, 0],
  ["a zone, in a Turkish locale", { TZ: "<+0530>-5:30", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" }, 330],
  ["a zone, and an invalid locale", { TZ: "<-03>3", LANG: "../../../etc", LC_ALL: "\u00ff", LC_TIME: "zz" }, -180],
] as const)("with %s in TZ all times are of one zone", async (_, env, minutes) => {
  const crank = await web.startWith({ env });
  const shell = 'echo here; printf READY=1 >&"$NOTIFY_FD"; exec sleep 600';
  const ctl = (...args: readonly string[]) => web.bench.run(web.ctlCommand(...args), { env });
  await ctl("run", "-wait", "-sockets-optional", "--", "bash", "-c", shell);
  await crank.wrote("stdout", /here/);
  await crank.wrote("stderr", "Rolled out generation");
  const texts = [
    /^\w+ +\d+ (\d+:\d+):.* here$/m.exec(crank.stdout()),
    /(\d+:\d+):\d+ Listening/.exec(crank.stderr()),
    /(\d+:\d+):\d+ .*Rolled out generation/.exec(crank.stderr()),
    /^\w+ +\d+ (\d+:\d+):.* here$/m.exec((await ctl("logs")).stdout),
    /T(\d+:\d+):/.exec((await ctl("history")).stdout),
    /T(\d+:\d+):/.exec((await ctl("events", "-once")).stdout),
  ];
  const now = Date.now() + minutes * 60_000;
  const expected = [0, 1, 2].map((ago) => new Date(now - ago * 60_000).toISOString().slice(11, 16));
  for (const text of texts) expect(expected).toContain(text?.[1] ?? "nothing");
});

test("a client shows the service's times, whatever its own zone", async () => {
  await web.startWith({ env: { TZ: "XXX-5:30" } });
  const shell = 'echo here; printf READY=1 >&"$NOTIFY_FD"; exec sleep 600';
  await web.run("-sockets-optional", "--", "bash", "-c", shell);
  const far = { TZ: "YYY+9" };
  const ctl = (...args: readonly string[]) => web.bench.run(web.ctlCommand(...args), { env: far });
  const logs = await waitFor("the line", async () => {
    const { stdout } = await ctl("logs");
    return stdout.includes(" here\n") && stdout;
  });
  const [, shown] = /^\w+ +\d+ (\d+:\d+):.* here$/m.exec(logs) ?? [];
  const events = (await ctl("events", "-once")).stdout.trimEnd().split("\n");
  const times = events.map((line) => /^\S+/.exec(line)?.[0] ?? "");
  const [past] = (await ctl("history")).stdout.match(/\S+\+05:30/) ?? [];
  expect(times.every((time) => time.endsWith("+05:30"))).toBe(true);
  const written = times.map((time) => time.slice(11, 16));
  expect(written).toContain(shown ?? "nothing");
  expect(written).toContain(past?.slice(11, 16) ?? "nothing");
  expect(Math.abs(Date.parse(times.at(-1) ?? "") - Date.now())).toBeLessThan(120_000);
  // A time without an offset is in the service's zone, too.
  const since = (minutes: number): string => new Date(Date.now() + (330 + minutes) * 60_000).toISOString().slice(0, 16);
  expect((await ctl("events", "-once", "-since", since(-5))).stdout).toContain("+05:30");
  expect((await ctl("events", "-once", "-since", since(5))).stdout).toBe("");
  const terminal = await terminals.open({ columns: 100, rows: 24, env: far });
  await terminal.watch("-name", "web", "watch");
  await terminal.see("1 of 1 ready");
  await terminal.see(`${times.at(-1)?.slice(11, 19)} `);
});
