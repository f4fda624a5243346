// Signals to workers by way of the control socket: who gets one, and what is answered, when, and to whom.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { WorkerInfo } from "../../src/control/messages.ts";
import { needing, ROOT_USER } from "../needs.ts";
import { Bench, CRANK, isAlive, ROOT, type Running, waitFor } from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const start = (): Promise<Running> => bench.crank("web", ["-bind", "127.0.0.1:0"]);
const ctl = (...args: string[]) => bench.ctl("web", ...args);
const run = (version: string, ...flags: string[]) => ctl("run", "-wait", ...flags, "--", "python3", RESPONDER, version);
const ps = async (): Promise<WorkerInfo[]> => JSON.parse((await ctl("ps", "-json")).stdout);

describe("kill", () => {
  test("signals those that are selected, by any form of the name, and nobody else", async () => {
    await start();
    await run("one");
    const pid = (await ps())[0]?.pid ?? 0;
    const unselected = await ctl("kill");
    expect(unselected).toMatchObject({ status: 2, stderr: expect.stringContaining("-ready, -stopping or -pid PID") });
    expect(await ctl("kill", "-pid", "1")).toMatchObject({
      status: 1,
      stderr: "ERROR: command failed: no worker that was selected has the pid 1\n",
    });
    expect(await ctl("kill", "-signal", "usr3", "-ready")).toMatchObject({
      status: 1,
      stderr: "ERROR: command failed: Unknown signal usr3\n",
    });
    expect(isAlive(pid)).toBe(true);
    expect(await ctl("kill", "-signal", "sigstop", "-pid", String(pid))).toMatchObject({ status: 0 });
    await waitFor("the stop", async () => / T /.test(await Bun.file(`/proc/${pid}/stat`).text()));
  });

  needing(ROOT_USER).test("says it when a worker may not be signalled", async () => {
    const program = join(bench.directory, "own");
    const source = `#include <unistd.h>
int main(void) { setuid(0); return write(3 + 1, "READY=1", 7) == 7 ? pause() : 1; }`;
    writeFileSync(`${program}.c`, source);
    expect((await bench.run([process.env.CC ?? "cc", "-o", program, `${program}.c`])).status).toBe(0);
    // Its worker makes itself root's, and crank is nobody's.
    chmodSync(program, 0o4755);
    chownSync(bench.directory, 65534, 65534);
    const script =
      "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execv(sys.argv[1], sys.argv[1:])";
    const flags = ["-prefix", bench.directory, "-name", "web", "-bind", "127.0.0.1:0"];
    const crank = bench.start(["python3", "-c", script, CRANK, ...flags]);
    await waitFor("the control socket", () => crank.stderr().includes("Listening on"));
    expect(await ctl("run", "-wait", "--", program)).toMatchObject({ status: 0 });
    const [worker] = await ps();
    expect(await ctl("kill", "-ready", "-wait")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(
        `ERROR: command failed: Process ${worker?.pid} cannot be signalled: operation not permitted\n`,
      ),
    });
    process.kill(worker?.pid ?? Number.NaN, "SIGKILL");
    await crank.ended;
  });

  test("waits with -wait until they are gone", async () => {
    const crank = await start();
    await run("one", "-instances", "2");
    const pids = (await ps()).map((worker) => worker.pid ?? 0);
    expect(await ctl("kill", "-signal", "KILL", "-pid", String(pids[0]), "-wait")).toMatchObject({ status: 0 });
    expect(pids.map(isAlive)).toEqual([false, true]);
    expect(isAlive(crank.pid)).toBe(true);
  });

  test.each([true, false])("asked for without an id is done, and not answered (wait: %p)", async (wait) => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-respawn=false"]);
    await run("one", "-instances", "2");
    const [first, second] = (await ps()).map((worker) => worker.pid ?? 0);
    const requests = [
      { method: "kill", params: { pid: first, signal: "KILL", wait } },
      { method: "kill", params: { pid: second, signal: "USR1", wait } },
      { method: "kill", params: { pid: 1, signal: "KILL", wait } },
      { method: "kill", params: { pid: second, signal: "no such", wait } },
      { id: "last", method: "info", params: {} },
    ];
    const lines = requests.map((request) => JSON.stringify({ jsonrpc: "2.0", ...request }));
    let heard = "";
    const client = connect(join(bench.directory, "web.ctl"), () => client.write(`${lines.join("\n")}\n`));
    client.on("data", (bytes) => {
      heard += bytes.toString();
    });
    // USR1 ends the second one, which has no handler for it.
    await waitFor("their ends", () => !isAlive(first ?? 0) && !isAlive(second ?? 0));
    // Nobody hangs on to crank, which ends with its last worker.
    await crank.ended;
    await waitFor("the end of the connection", () => client.readableEnded || client.destroyed);
    expect(
      heard
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["last"]);
    expect(crank.stderr()).not.toContain("supervisor ended");
  });
});
