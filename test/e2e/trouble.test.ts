// What may go wrong with the machine while crank runs: its runtime fails, its disk is full. Workers go on, and so does crank
// when it is over.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { mountNamespaces, needing } from "../needs.ts";
import {
  Bench,
  CRANK,
  CRANKCTL,
  type Ended,
  isAlive,
  portOf,
  ROOT,
  signal,
  supervisorOf,
  waitFor,
} from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

/** What the service answers to a new connection: `VERSION PID`. */
const answer = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    connect(port, "127.0.0.1")
      .on("data", (bytes) => resolve(bytes.toString().trim()))
      .on("error", reject);
  });

/** A runtime that ends at once with status 1 as long as the file `flag` is there. */
const falteringRuntime = async (flag: string): Promise<string> => {
  const program = join(bench.directory, "runtime");
  const real = join(CRANK, "../runtime");
  const source = `#include <unistd.h>
int main(int count, char **words) { return access("${flag}", F_OK) == 0 || count < 1 ? 1 : execv("${real}", words); }`;
  writeFileSync(`${program}.c`, source);
  expect(await bench.run([process.env.CC ?? "cc", "-o", program, `${program}.c`])).toMatchObject({ status: 0 });
  return program;
};

test("a runtime that fails is tried again and again, and workers go on meanwhile", async () => {
  const flag = join(bench.directory, "fails");
  const runtime = await falteringRuntime(flag);
  const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "60"], {
    env: { CRANK_RUNTIME: runtime },
  });
  const port = portOf(crank);
  expect(await bench.ctl("web", "run", "-wait", "--", "python3", RESPONDER, "one")).toMatchObject({ status: 0 });
  const before = await answer(port);
  writeFileSync(flag, "");
  signal(await waitFor("the supervisor", () => supervisorOf(crank)), "SIGKILL");
  await waitFor("the complaint", () =>
    crank.stderr().includes("it ended with status 1; what runs goes on, and it is tried again"),
  );
  expect(await answer(port)).toBe(before);
  // Whoever asks now has the answer when it works again.
  const asked = bench.ctl("web", "run", "-wait", "--", "python3", RESPONDER, "two");
  rmSync(flag);
  expect(await asked).toMatchObject({ status: 0, stdout: "Started successfully\n" });
  expect(isAlive(crank.pid)).toBe(true);
});

test("a runtime whose file is gone goes on being used", async () => {
  const runtime = await falteringRuntime(join(bench.directory, "never"));
  const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "60"], {
    env: { CRANK_RUNTIME: runtime },
  });
  rmSync(runtime);
  signal(await waitFor("the supervisor", () => supervisorOf(crank)), "SIGKILL");
  expect(await bench.ctl("web", "run", "-wait", "--", "python3", RESPONDER, "one")).toMatchObject({ status: 0 });
});

needing(mountNamespaces()).test(
  "a deploy on a full disk stands, says that it is not recorded, and the next one is, when there is room again",
  async () => {
    // A disk of its own, which is gone with crank.
    const disk = join(bench.directory, "disk");
    mkdirSync(disk);
    const mount = `mount -t tmpfs -o size=256k crank-test "${disk}" && exec "$@"`;
    const flags = ["-prefix", disk, "-name", "web", "-bind", "127.0.0.1:0"];
    const crank = bench.start(["unshare", "--mount", "--", "sh", "-c", mount, "sh", CRANK, ...flags]);
    await waitFor("its start", () => crank.stderr().includes("Listening on"));
    const seen = `/proc/${crank.pid}/root${disk}`;
    const ctl = (...args: string[]): Promise<Ended> => bench.run([CRANKCTL, "-ctl", join(seen, "web.ctl"), ...args]);
    const run = (version: string) => ctl("run", "-wait", "-cwd", ROOT, "--", "python3", RESPONDER, version);
    expect(await run("one")).toMatchObject({ status: 0 });
    const record = readFileSync(join(seen, "web.conf"), "utf8");
    const ballast = join(seen, "ballast");
    await bench.run(["sh", "-c", 'cat /dev/zero > "$1"', "sh", ballast]);
    expect(statfsSync(seen).bavail).toBe(0);
    const deployed = await run("two");
    expect(deployed).toMatchObject({ status: 0 });
    expect(deployed.stdout + deployed.stderr).toContain("could not be recorded");
    expect(deployed.stdout + deployed.stderr).toContain("no space left on device");
    expect(await answer(portOf(crank))).toStartWith("two");
    expect(readFileSync(join(seen, "web.conf"), "utf8")).toBe(record);
    expect((await ctl("status")).stdout).toContain("The record could not be written");
    truncateSync(ballast, 0);
    // It is written by itself as soon as there is room.
    await waitFor("the record", () => readFileSync(join(seen, "web.conf"), "utf8").includes("two"));
    await crank.wrote("stderr", "web.conf is written, and holds what is in place");
    expect((await ctl("status")).stdout).not.toContain("The record could not be written");
    expect(await run("three")).toMatchObject({ status: 0, stdout: "Started successfully\n" });
    expect(readFileSync(join(seen, "web.conf"), "utf8")).toContain("three");
    crank.signal("SIGTERM");
    expect(await crank.ended).toMatchObject({ status: 0 });
    expect(existsSync(join(disk, "web.conf"))).toBe(false);
  },
);
