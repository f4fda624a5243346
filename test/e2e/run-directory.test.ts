// A run directory that something removes while crank runs, as a cleaner of /tmp does.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { endLeft } from "./harness/left.ts";
import { Bench, CRANK, waitFor } from "./harness/service.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await bench.clean();
  await endLeft(bench);
});

const directory = (): string => join(bench.directory, "web.run");
const notifies = ["sh", "-c", `[ -S "$NOTIFY_SOCKET" ] && printf READY=1 >&"$NOTIFY_FD"; exec sleep 1000`];
const run = (...command: readonly string[]) => bench.ctl("web", "run", "-wait", "--", ...command);
const pidOf = async (): Promise<number> => JSON.parse((await bench.ctl("web", "ps", "-json")).stdout)[0].pid;

test("a run directory that was removed is made again for the next worker, and said once", async () => {
  const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  expect(await run(...notifies)).toMatchObject({ status: 0 });
  rmSync(directory(), { recursive: true });
  expect(await run(...notifies)).toMatchObject({ status: 0 });
  await crank.wrote("stderr", "web.run was gone, and was made again");
  expect(statSync(directory()).mode & 0o777).toBe(0o711);
  expect(crank.stderr().split("was made again")).toHaveLength(2);
});

test("a journal that was removed is back on the disk, and a crank that is killed then is followed by one that adopts", async () => {
  const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  await run(...notifies);
  rmSync(directory(), { recursive: true });
  await run(...notifies);
  const pid = await pidOf();
  await crank.wrote("stderr", "The journal is on the disk again");
  expect(existsSync(join(directory(), "journal"))).toBe(true);
  crank.signal("SIGKILL");
  await crank.ended;
  const next = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  await next.wrote("stderr", "Adopted 1 of the 1 worker");
  expect(await pidOf()).toBe(pid);
});

test("a second crank of the name is refused after the lock was removed", async () => {
  await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  await run(...notifies);
  rmSync(directory(), { recursive: true });
  await run(...notifies);
  await waitFor("the lock", () => existsSync(join(directory(), "lock")));
  rmSync(join(bench.directory, "web.conf.lock"), { force: true });
  rmSync(join(bench.directory, "web.ctl.lock"), { force: true });
  const second = await bench.run([CRANK, "-prefix", bench.directory, "-name", "web", "-bind", "127.0.0.1:0"]);
  expect(second.status).toBe(1);
  expect(second.stderr).toContain("is running already");
});
