// A run directory that something removes while crank runs, as a cleaner of /tmp does.
import { expect, test } from "bun:test";
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

const directory = (): string => web.path("web.run");
const notifies = ["sh", "-c", `[ -S "$NOTIFY_SOCKET" ] && printf READY=1 >&"$NOTIFY_FD"; exec sleep 1000`];

test("a run directory that was removed is made again for the next worker, and that is reported once", async () => {
  const crank = await web.start();
  expect(await web.run("--", ...notifies)).toMatchObject({ status: 0 });
  rmSync(directory(), { recursive: true });
  expect(await web.run("--", ...notifies)).toMatchObject({ status: 0 });
  await crank.wrote("stderr", "web.run was removed, and was created again");
  expect(statSync(directory()).mode & 0o777).toBe(0o711);
  expect(crank.stderr().split("was created again")).toHaveLength(2);
});

test("a journal that was removed is written again, and a crank that is killed then is followed by one that adopts", async () => {
  const crank = await web.start();
  await web.run("--", ...notifies);
  rmSync(directory(), { recursive: true });
  await web.run("--", ...notifies);
  const [before] = await web.settled(1);
  await crank.wrote("stderr", "The journal is on disk again");
  expect(existsSync(join(directory(), "journal"))).toBe(true);
  await web.kill();
  const next = await web.start();
  await next.wrote("stderr", "Adopted 1 of the 1 worker");
  expect((await web.settled(1))[0]?.pid).toBe(before?.pid);
});

test("a second crank of the name is refused after the lock was removed", async () => {
  await web.start();
  await web.run("--", ...notifies);
  rmSync(directory(), { recursive: true });
  await web.run("--", ...notifies);
  await waitFor("the lock", () => existsSync(join(directory(), "lock")));
  rmSync(web.path("web.conf.lock"), { force: true });
  rmSync(web.path("web.ctl.lock"), { force: true });
  const second = await web.bench.run(web.crankCommand());
  expect(second.status).toBe(1);
  expect(second.stderr).toContain("is already running");
});
