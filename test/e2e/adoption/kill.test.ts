// Signals to workers through the control socket: which workers get one, and what is answered, when, and to which client.
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { needing, ROOT_USER } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service({ app: RESPONDER }));

describe("kill", () => {
  test("signals the selected workers, by any form of the signal's name, and no others", async () => {
    await web.start();
    await web.app("one");
    const pid = (await web.ready()).pid;
    const unselected = await web.ctl("kill");
    expect(unselected).toMatchObject({ status: 2, stderr: expect.stringContaining("-ready, -stopping or -pid PID") });
    expect(await web.ctl("kill", "-pid", "1")).toMatchObject({
      status: 1,
      stderr: "crankctl kill: -pid 1: no selected worker has this pid. crankctl ps lists them.\n",
    });
    expect(await web.ctl("kill", "-signal", "usr3", "-ready")).toMatchObject({
      status: 1,
      stderr: "crankctl kill: Unknown signal usr3\n",
    });
    expect(isAlive(pid)).toBe(true);
    expect(await web.ctl("kill", "-signal", "sigstop", "-pid", String(pid))).toMatchObject({ status: 0 });
    await waitFor("the stop", async () => / T /.test(await Bun.file(`/proc/${pid}/stat`).text()));
  });

  needing(ROOT_USER).test("reports a worker that may not be signalled", async () => {
    const program = web.path("own");
    const source = `#include <unistd.h>
int main(void) { setuid(0); return write(3 + 1, "READY=1", 7) == 7 ? pause() : 1; }`;
    writeFileSync(`${program}.c`, source);
    expect((await web.bench.run([process.env.CC ?? "cc", "-o", program, `${program}.c`])).status).toBe(0);
    // The worker becomes root; crank runs as user 65534.
    chmodSync(program, 0o4755);
    chownSync(web.directory, 65534, 65534);
    const script =
      "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execv(sys.argv[1], sys.argv[1:])";
    const crank = await web.launch(["python3", "-c", script, ...web.crankCommand()]);
    expect(await web.run("--", program)).toMatchObject({ status: 0 });
    const [worker] = await web.ps();
    expect(await web.ctl("kill", "-ready", "-wait")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(
        `crankctl kill: Process ${worker?.pid} cannot be signalled: operation not permitted\n`,
      ),
    });
    process.kill(worker?.pid ?? Number.NaN, "SIGKILL");
    await crank.ended;
  });

  test("waits with -wait until they are gone", async () => {
    const crank = await web.start();
    await web.app("one", "-instances", "2");
    const pids = (await web.ps()).map(({ pid }) => pid);
    expect(await web.ctl("kill", "-signal", "KILL", "-pid", String(pids[0]), "-wait")).toMatchObject({ status: 0 });
    expect(pids.map(isAlive)).toEqual([false, true]);
    expect(isAlive(crank.pid)).toBe(true);
  });

  test.each([true, false])("requested without an id is carried out and not answered (wait: %p)", async (wait) => {
    const crank = await web.start("-respawn=false");
    await web.app("one", "-instances", "2");
    const [first, second] = (await web.ps()).map(({ pid }) => pid);
    const requests = [
      { method: "kill", params: { pid: first, signal: "KILL", wait } },
      { method: "kill", params: { pid: second, signal: "USR1", wait } },
      { method: "kill", params: { pid: 1, signal: "KILL", wait } },
      { method: "kill", params: { pid: second, signal: "no such", wait } },
      { id: "last", method: "info", params: {} },
    ];
    const lines = requests.map((request) => JSON.stringify({ jsonrpc: "2.0", ...request }));
    const client = await web.control();
    client.say(`${lines.join("\n")}\n`);
    // USR1 ends the second worker, which has no handler for it.
    await waitFor("their ends", () => !isAlive(first ?? 0) && !isAlive(second ?? 0));
    // crank waits for no client: it ends with its last worker.
    await crank.ended;
    await client.isEnded();
    expect(client.lines.map((line) => JSON.parse(line).id)).toEqual(["last"]);
    expect(crank.stderr()).not.toMatch(/The supervisor (exited|was killed)/);
  });
});
