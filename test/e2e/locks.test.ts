// Two cranks that would get at one another's files: the second goes away again, and says who was there first.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Bench, CRANK, CRANKCTL, type Ended, ROOT, waitFor } from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

/** Starts a second crank with a prefix of its own. */
const another = (...args: readonly string[]): Promise<Ended> => {
  const prefix = join(bench.directory, "elsewhere");
  mkdirSync(prefix, { recursive: true });
  return bench.run([CRANK, "-prefix", prefix, "-name", "other", "-bind", "127.0.0.1:0", ...args]);
};

const run = (version: string): Promise<Ended> => bench.ctl("web", "run", "-wait", "--", "python3", RESPONDER, version);

describe("a crank of another name", () => {
  test("with the same record is refused, with the pid of the first, which goes on", async () => {
    const record = join(bench.directory, "web.conf");
    const first = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    expect(await run("one")).toMatchObject({ status: 0 });
    const before = readFileSync(record, "utf8");
    const second = await another("-conf", record);
    expect(second).toMatchObject({ status: 1, stdout: "" });
    expect(second.stderr).toContain(`another crank records in ${record} already, with pid ${first.pid}`);
    expect(readFileSync(record, "utf8")).toBe(before);
    expect(await run("two")).toMatchObject({ status: 0 });
  });

  test("with the same control socket is refused, with the pid of the first, which goes on", async () => {
    const socket = join(bench.directory, "web.ctl");
    const first = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    const second = await another("-ctl", socket);
    expect(second).toMatchObject({ status: 1, stdout: "" });
    expect(second.stderr).toContain(`${socket}: another process is listening on this socket, with pid ${first.pid}`);
    expect(await run("one")).toMatchObject({ status: 0 });
  });

  test("leaves nothing of its own where it was refused, and starts when the first has ended", async () => {
    const record = join(bench.directory, "web.conf");
    const first = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    await run("one");
    expect(await another("-conf", record)).toMatchObject({ status: 1 });
    expect(readdirSync(join(bench.directory, "elsewhere"))).toEqual(["other.run"]);
    expect(readdirSync(join(bench.directory, "elsewhere/other.run")).sort()).toEqual(["names", "notify"]);
    first.signal("SIGTERM");
    expect(await first.ended).toMatchObject({ status: 0 });
    expect(readdirSync(bench.directory).filter((name) => name.endsWith(".lock"))).toEqual([]);
    const next = bench.start([
      CRANK,
      "-prefix",
      bench.directory,
      "-name",
      "next",
      "-conf",
      record,
      "-bind",
      "127.0.0.1:0",
    ]);
    await waitFor("its worker", () => next.stderr().includes("Generation 2 is in place"));
  });

  test("starts although its control socket's lock cannot be made, if the socket can", async () => {
    const directory = join(bench.directory, "d");
    mkdirSync(directory);
    mkdirSync(join(directory, "c.lock"));
    const first = bench.start([
      CRANK,
      "-prefix",
      bench.directory,
      "-name",
      "web",
      "-ctl",
      join(directory, "c"),
      "-bind",
      "127.0.0.1:0",
    ]);
    await waitFor("its start", () => first.stderr().includes("Listening on"));
    expect(await bench.run([CRANKCTL, "-ctl", join(directory, "c"), "ps"])).toMatchObject({ status: 0 });
  });
});

test("of many cranks that start at once with one control socket, one serves, and the others name it", async () => {
  const socket = join(bench.directory, "all.ctl");
  const cranks = Array.from({ length: 8 }, (_, index) =>
    bench.start([CRANK, "-prefix", bench.directory, "-name", `n${index}`, "-ctl", socket, "-bind", "127.0.0.1:0"]),
  );
  const refusals = cranks.map(async (crank) => ({ crank, ...(await crank.ended) }));
  const refused: Ended[] = [];
  for (const each of refusals) void each.then((ended) => refused.push(ended));
  await waitFor("all but one to give up", () => refused.length === cranks.length - 1);
  const info = JSON.parse((await bench.run([CRANKCTL, "-ctl", socket, "info", "-json"])).stdout);
  const winner = await waitFor("who serves", () => cranks.find((crank) => crank.stderr().includes("Listening on")));
  expect(info.pid).toBe(winner.pid);
  for (const { status, stderr } of refused) {
    expect(status).toBe(1);
    expect(stderr).toContain(`is listening on this socket, with pid ${winner.pid}`);
  }
  winner.signal("SIGTERM");
  await winner.ended;
  expect(existsSync(`${socket}.lock`)).toBe(false);
});
