// Two cranks that would share files: the second one exits and names the first.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK, CRANKCTL, type Ended } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service({ app: RESPONDER }));

/** Starts a second crank with a prefix of its own. */
const another = (...args: readonly string[]): Promise<Ended> => {
  const prefix = web.path("elsewhere");
  mkdirSync(prefix, { recursive: true });
  return web.bench.run([CRANK, "-prefix", prefix, "-name", "other", "-bind", "127.0.0.1:0", ...args]);
};

describe("a crank of another name", () => {
  test("with the same record is refused, with the pid of the first, which continues", async () => {
    const record = web.path("web.conf");
    const first = await web.start();
    expect(await web.app("one")).toMatchObject({ status: 0 });
    const before = readFileSync(record, "utf8");
    const second = await another("-conf", record);
    expect(second).toMatchObject({ status: 1, stdout: "" });
    expect(second.stderr).toContain(`another crank records in ${record}, with pid ${first.pid}`);
    expect(readFileSync(record, "utf8")).toBe(before);
    expect(await web.app("two")).toMatchObject({ status: 0 });
  });

  test("with the same control socket is refused, with the pid of the first, which continues", async () => {
    const socket = web.path("web.ctl");
    const first = await web.start();
    const second = await another("-ctl", socket);
    expect(second).toMatchObject({ status: 1, stdout: "" });
    expect(second.stderr).toContain(`${socket}: another process is listening on this socket, with pid ${first.pid}`);
    expect(await web.app("one")).toMatchObject({ status: 0 });
  });

  test("that was refused leaves no files, and starts when the first has ended", async () => {
    const record = web.path("web.conf");
    const first = await web.start();
    await web.app("one");
    expect(await another("-conf", record)).toMatchObject({ status: 1 });
    expect(readdirSync(web.path("elsewhere"))).toEqual(["other.run"]);
    expect(readdirSync(web.path("elsewhere/other.run")).sort()).toEqual(["names", "notify"]);
    first.signal("SIGTERM");
    expect(await first.ended).toMatchObject({ status: 0 });
    expect(readdirSync(web.directory).filter((name) => name.endsWith(".lock"))).toEqual([]);
    const next = await web.bench.crank("next", ["-conf", record, "-bind", "127.0.0.1:0"]);
    await next.wrote("stderr", "Rolled out generation 2");
  });

  test("starts although the lock of its control socket cannot be made, if the socket can", async () => {
    const directory = web.path("d");
    mkdirSync(directory);
    mkdirSync(join(directory, "c.lock"));
    await web.start("-ctl", join(directory, "c"));
    expect(await web.bench.run([CRANKCTL, "-ctl", join(directory, "c"), "ps"])).toMatchObject({ status: 0 });
  });
});

test("of many cranks that start at once with one control socket, one serves, and the others name it", async () => {
  const socket = web.path("all.ctl");
  const cranks = Array.from({ length: 8 }, (_, index) =>
    web.bench.start([CRANK, "-prefix", web.directory, "-name", `n${index}`, "-ctl", socket, "-bind", "127.0.0.1:0"]),
  );
  const refusals = cranks.map(async (crank) => ({ crank, ...(await crank.ended) }));
  const refused: Ended[] = [];
  for (const each of refusals) void each.then((ended) => refused.push(ended));
  await waitFor("all but one to give up", () => refused.length === cranks.length - 1);
  const winner = await waitFor("the one that serves", () =>
    cranks.find((crank) => crank.stderr().includes("Listening on")),
  );
  const info = JSON.parse((await web.bench.run([CRANKCTL, "-ctl", socket, "info", "-json"])).stdout);
  expect(info.pid).toBe(winner.pid);
  for (const { status, stderr } of refused) {
    expect(status).toBe(1);
    expect(stderr).toContain(`is listening on this socket, with pid ${winner.pid}`);
  }
  winner.signal("SIGTERM");
  await winner.ended;
  expect(existsSync(`${socket}.lock`)).toBe(false);
});
