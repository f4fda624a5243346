// What may go wrong with the machine while crank runs: its supervisor cannot be started, its disk is full. Workers go on,
// and so does crank when it is over.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { mountNamespaces, needing } from "../needs.ts";
import { installDamaged, installRuntime } from "./harness/installation.ts";
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
import { Upgraded } from "./harness/upgraded.ts";

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

describe("a supervisor", () => {
  let service: Upgraded;
  beforeEach(() => {
    service = new Upgraded();
  });
  afterEach(() => service.clean());

  test("that cannot be started is started again and again, and workers go on meanwhile", async () => {
    const flag = service.path("fails");
    const real = join(CRANK, "../runtime");
    const faltering = installRuntime(service.path("two"), `[ -e "${flag}" ] && exit 1\nexec "${real}" "$@"`);
    const crank = await service.start("-linger", "60");
    await service.deploy("python3", RESPONDER, "one");
    expect(await service.ctl("upgrade", "-wait", "-exec", faltering)).toMatchObject({ status: 0 });
    const before = await service.answer();
    writeFileSync(flag, "");
    signal(await waitFor("the supervisor", () => supervisorOf(crank)), "SIGKILL");
    await waitFor("the complaint", () =>
      crank.stderr().includes("it ended with status 1; what runs goes on, and it is tried again"),
    );
    expect(await service.answer()).toBe(before);
    // A request made now is answered when it works again.
    const asked = service.deploy("python3", RESPONDER, "two");
    rmSync(flag);
    expect(await asked).toMatchObject({ status: 0, stdout: "Started successfully\n" });
    expect(isAlive(crank.pid)).toBe(true);
  });

  test("is started although everything that was installed is gone", async () => {
    const crank = await service.start("-linger", "60");
    rmSync(service.path("one"), { recursive: true });
    signal(await waitFor("the supervisor", () => supervisorOf(crank)), "SIGKILL");
    const ctl = [join(CRANK, "../crankctl"), "-prefix", service.bench.directory, "-name", "web"];
    const words = ["run", "-wait", "--", "python3", RESPONDER, "one"];
    expect(await service.bench.run([...ctl, ...words])).toMatchObject({ status: 0 });
  });
});

test("a program that is damaged is named in one sentence after a few attempts", async () => {
  const crank = installDamaged(join(bench.directory, "damaged"));
  const ended = await bench.run([crank, "-prefix", bench.directory, "-name", "web", "-bind", "127.0.0.1:0"]);
  expect(ended.status).toBe(1);
  const own = ended.stderr.split("\n").filter((line) => !line.includes("it is not an image of the engine"));
  expect(own).toEqual([`crank: the supervisor cannot be started: it ended with status 70; check ${crank}`, ""]);
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
