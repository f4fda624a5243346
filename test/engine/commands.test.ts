// All commands as they are today, on the engine: the same words as on Bun, and a service whose supervisor runs on it.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Bench, type Ended, ROOT, waitFor } from "../e2e/harness/service.ts";

const ENGINE = join(ROOT, "build/crank-engine");
const RESPONDER = join(ROOT, "test/apps/responder.py");
const COMMANDS = [
  "crank",
  "crankctl",
  "crankx",
  "einhorn",
  "einhornsh",
  "einhyrningsins",
  "einhyrningsinsctl",
  "socketmaster",
];

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

/** A home of crank's whose runtime is the engine. */
const engineHome = (): string => {
  const bin = join(bench.directory, "home/bin");
  mkdirSync(bin, { recursive: true });
  copyFileSync(join(ROOT, "bin/crank"), join(bin, "crank"));
  copyFileSync(ENGINE, join(bin, "runtime"));
  for (const name of COMMANDS.slice(1)) symlinkSync("crank", join(bin, name));
  return bin;
};

/** Log lines name the process. */
const withoutPid = (ended: Ended): Ended => ({ ...ended, stderr: ended.stderr.replace(/\[MASTER \d+\]/g, "[MASTER]") });

describe.skipIf(!existsSync(ENGINE))("on the engine (make engine)", () => {
  test("every command says what it says on Bun, when it is asked for help and when it is called wrongly", async () => {
    const bin = engineHome();
    for (const name of COMMANDS) {
      for (const args of [["-help"], ["--no-such-flag"]]) {
        const [here, there] = await Promise.all([
          bench.run([join(bin, name), ...args]),
          bench.run([join(ROOT, "bin", name), ...args]),
        ]);
        expect({ name, args, ...withoutPid(here) }).toEqual({ name, args, ...withoutPid(there) });
      }
    }
  });

  test("a service is deployed to, rolled back and shut down, and both runtimes see the same of it", async () => {
    const bin = engineHome();
    const here = ["-prefix", bench.directory, "-name", "web"];
    const ctl = (...args: readonly string[]) => bench.run([join(bin, "crankctl"), ...here, ...args]);
    const crank = bench.start([join(bin, "crank"), ...here, "-bind", "127.0.0.1:0"]);
    await crank.wrote("stderr", "Listening on");
    const first = await ctl("run", "-wait", "--", "python3", RESPONDER, "one");
    expect(first).toMatchObject({ status: 0, stderr: "" });
    const runtimes = await waitFor("the supervisor", async () => {
      const { stdout } = await bench.run(["sh", "-c", `readlink /proc/[0-9]*/exe | grep -c '^${bin}/runtime$'`]);
      return stdout.trim() !== "0";
    });
    expect(runtimes).toBe(true);
    expect((await ctl("run", "-wait", "--", "/no/such/program")).status).toBe(1);
    expect((await ctl("run", "-wait", "-instances", "2", "--", "python3", RESPONDER, "two")).status).toBe(0);
    const [seen, onBun] = [await ctl("ps"), await bench.run([join(ROOT, "bin/crankctl"), ...here, "ps"])];
    expect(seen.stdout).toContain("two");
    expect(seen.stdout).toBe(onBun.stdout);
    expect((await ctl("rollback", "-wait")).status).toBe(0);
    expect((await ctl("ps")).stdout).toContain("one");
    expect((await ctl("shutdown", "-wait")).status).toBe(0);
    expect((await crank.ended).status).toBe(0);
  });
});
