// A worker is a process tree: how all of it is stopped, and what it cannot leave behind, as clients and /proc see it.
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import type { Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";
import { PATIENT, sh, treesOf } from "./trees.ts";

const service = eachTest(new Service({ port: "fixed" }));
const { run, deploy, servers, server, ask, shown } = treesOf(service);

describe("a server behind a shell that does not pass signals on", () => {
  test.each([
    ["group", `${PATIENT} old; echo over`],
    ["process", `${PATIENT} old; echo over`],
    ["group", `${PATIENT} old | cat`],
    ["process", `${PATIENT} old | cat`],
  ])("answers what it has accepted, and accepts nothing more (-kill-mode %s, %s)", async (mode, script) => {
    const crank = await service.start();
    await deploy("-kill-mode", mode, ...sh(script));
    const held = ask("hold");
    await held.connected;
    expect(await ask("now").answer).toStartWith("old ");
    await deploy(...sh(`exec ${PATIENT} new`));
    const old = await waitFor("the shell's end", async () => {
      const worker = await shown(1);
      return worker?.rest !== undefined && worker;
    });
    expect(old).toMatchObject({ state: "stopping" });
    expect((await service.ctl("status")).stdout).toContain("stopping");
    expect((await service.ctl("status")).stdout).toContain("left");
    expect(crank.stderr()).not.toMatch(/Worker 1 .* was ended/);
    await crank.wrote("stdout", "old stops");
    for (let times = 0; times < 5; times++) expect(await ask("now").answer).toStartWith("new ");
    writeFileSync(service.path("go"), "");
    expect(await held.answer).toStartWith("old ");
    await waitFor("the worker's end", async () => (await shown(1)) === undefined);
    expect(isAlive(servers()[0] ?? 0)).toBe(false);
    await crank.wrote("stderr", /The main process of worker 1 .* was killed by SIGTERM; .* left, and gets? SIGTERM/);
  });

  test("is killed when its stop timeout is over, and the log names it", async () => {
    const crank = await service.start();
    await deploy("-stop", "0.5", ...sh(`${PATIENT} old deaf; echo over`));
    const old = await server(0);
    await deploy(...sh(`exec ${PATIENT} new`));
    await crank.wrote(
      "stderr",
      new RegExp(`Killed 1 process that worker 1 left: ${old} ".*python3 .*patient.py old deaf"`),
    );
    await crank.wrote("stderr", /Worker 1 \(pid \d+, generation 1\) was killed by SIGTERM/);
    expect(isAlive(old)).toBe(false);
  });

  test("is ended at once when the shell crashes", async () => {
    const crank = await service.start("-respawn");
    await deploy(...sh(`${PATIENT} one; echo over`));
    const worker = await service.ready();
    const first = await server(0);
    process.kill(worker.pid, "SIGKILL");
    const second = await server(1);
    expect(isAlive(first)).toBe(false);
    expect(await ask("now").answer).toBe(`one ${second}\n`);
    await crank.wrote(
      "stderr",
      /The main process of worker 1 .* was killed by SIGKILL \(unexpected\); 1 other process of it is killed/,
    );
  });
});

describe("a process that a worker detaches:", () => {
  const DETACHED = {
    "in a session of its own": `setsid ${PATIENT} bad`,
    "without its environment": `setsid env -i PIDS=$PIDS NOTIFY_FD=$NOTIFY_FD HOLD=$HOLD PATH=$PATH ${PATIENT} bad`,
    "twice removed": `setsid sh -c "${PATIENT} bad silent & ${PATIENT} bad silent & exit 0"`,
  };
  const GONE = Object.entries(DETACHED);

  test.each(GONE)(
    "%s ends with a launcher that exits before it is ready, and the old version serves on",
    async (_, start) => {
      await service.start();
      await deploy(...sh(`exec ${PATIENT} old`));
      for (const status of [1, 0]) {
        const before = servers().length;
        const silent = start.replace(" bad", " bad silent").replace("silent silent", "silent");
        const failed = await run(
          ...sh(`${silent} & while [ $(wc -l < $PIDS) -le ${before} ]; do sleep 0.01; done; exit ${status}`),
        );
        expect(failed).toMatchObject({
          status: 1,
          stderr: expect.stringContaining(`exited with status ${status} before it was ready`),
        });
        for (const pid of servers().slice(before)) expect(isAlive(pid)).toBe(false);
        for (let times = 0; times < 5; times++) expect(await ask("now").answer).toStartWith("old ");
      }
    },
  );

  test.each(GONE)("%s gets the stop signal when its worker does, and has the stop timeout", async (_, start) => {
    const crank = await service.start();
    await deploy("-ready", "delay:0.3", ...sh(`${start} & exec sleep 600`));
    await server(0);
    const held = ask("hold");
    await held.connected;
    expect(await ask("now").answer).toStartWith("bad ");
    await deploy("-ready", "notify", ...sh(`exec ${PATIENT} new`));
    await waitFor("their stop", () => crank.stdout().split("bad stops").length === servers().length);
    for (let times = 0; times < 5; times++) expect(await ask("now").answer).toStartWith("new ");
    writeFileSync(service.path("go"), "");
    expect(await held.answer).toStartWith("bad ");
    await waitFor("the worker's end", async () => (await shown(1)) === undefined);
    for (const pid of servers().slice(0, -1)) expect(isAlive(pid)).toBe(false);
  });

  test.each([
    ["shutdown -wait", async () => service.ctl("shutdown", "-wait")],
    ["SIGTERM", async (crank: Running) => crank.signal("SIGTERM")],
    ["SIGINT", async (crank: Running) => crank.signal("SIGINT")],
    ["the end of its last worker", async () => service.ctl("kill", "-ready")],
  ])("it is gone when crank ends by %s", async (_, end) => {
    const crank = await service.start();
    const all = Object.values(DETACHED)
      .map((start) => `${start} deaf & `)
      .join("");
    await deploy("-ready", "delay:0.3", "-stop", "0.5", ...sh(`${all} exec sleep 600`));
    await waitFor("four servers", () => servers().length === 4);
    await end(crank);
    await crank.ended;
    expect(servers().filter(isAlive)).toEqual([]);
    // The address is free.
    await service.start();
  });

  test("it is the worker if it has said so: the launcher may end", async () => {
    const crank = await service.start();
    const launcher = `setsid ${PATIENT} daemon main & while [ ! -s $PIDS ]; do sleep 0.01; done; exit 0`;
    await deploy(...sh(launcher));
    const pid = await server(0);
    await waitFor("its being the worker", async () => (await service.pids())[0] === pid);
    expect(await ask("now").answer).toBe(`daemon ${pid}\n`);
    await deploy(...sh(`exec ${PATIENT} new`));
    await waitFor("its end", () => !isAlive(pid));
    await crank.wrote("stderr", `Worker 1 (pid ${pid}, generation 1) exited with status 0`);
  });
});

describe("a worker's session", () => {
  test("is its own: it has no terminal, and it is not crank's", async () => {
    const crank = await service.start();
    await deploy(...sh(`(: < /dev/tty) 2> ${service.path("tty")}; exec ${PATIENT} one`));
    const pid = await server(0);
    const [, , group, session] = (readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1] ?? "").split(" ");
    expect([group, session]).toEqual([String(pid), String(pid)]);
    expect(readFileSync(service.path("tty"), "utf8")).toContain("/dev/tty");
    crank.signal("SIGINT");
    expect(await crank.ended).toMatchObject({ status: 0 });
  });

  test("is not reached by Ctrl-C on a crank in the foreground, which shuts down in order", async () => {
    const terminal = `import os,pty,select,sys
pid,fd=pty.fork()
if pid==0: os.execv(sys.argv[1],sys.argv[1:])
while True:
    for ready in select.select([0,fd],[],[])[0]:
        try: said=os.read(ready,4096)
        except OSError: said=b""
        if ready==0: os.write(fd,said)
        elif said: os.write(1,said)
        else: sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid,0)[1]))`;
    const crank = service.bench.start(["python3", "-c", terminal, ...service.crankCommand()], { stdin: "pipe" });
    await crank.wrote("stdout", "Listening on");
    const heard = service.path("heard");
    const script = `trap 'echo INT >> ${heard}' INT; trap 'echo TERM >> ${heard}; exit 0' TERM; printf READY=1 >&"$NOTIFY_FD"; while :; do sleep 0.05; done`;
    await deploy(...sh(script));
    crank.write("\x03");
    expect(await crank.ended).toMatchObject({ status: 0 });
    expect(readFileSync(heard, "utf8")).toBe("TERM\n");
  });

  test("gets no SIGHUP when crank is killed while the worker is stopped", async () => {
    await service.start();
    await deploy(...sh(`exec ${PATIENT} one`));
    const pid = await server(0);
    process.kill(pid, "SIGSTOP");
    await waitFor("its being stopped", () => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") T "));
    await service.kill();
    process.kill(pid, "SIGCONT");
    await service.adopt();
    expect(await service.pids()).toEqual([pid]);
    expect(await ask("now").answer).toBe(`one ${pid}\n`);
  });
});

describe("after crank was killed", () => {
  test("the processes of an adopted worker end with it", async () => {
    let crank = await service.start();
    await deploy("-stop", "0.5", ...sh(`setsid ${PATIENT} old silent deaf & ${PATIENT} old; echo over`));
    await server(1);
    crank = await service.replace();
    await deploy(...sh(`exec ${PATIENT} new`));
    await waitFor("the old worker's end", async () => (await shown(1)) === undefined);
    expect(servers().slice(0, 2).filter(isAlive)).toEqual([]);
    await crank.wrote("stderr", /Killed 1 process that worker 1 left/);
  });

  test("the processes of a worker that has ended meanwhile are ended, and the service continues", async () => {
    await service.start();
    await deploy(...sh(`${PATIENT} one; echo over`));
    const worker = await service.ready();
    const first = await server(0);
    await service.kill();
    process.kill(worker.pid, "SIGKILL");
    await waitFor("its end", () => !isAlive(worker.pid));
    expect(isAlive(first)).toBe(true);
    await service.start();
    const second = await server(1);
    await waitFor("the first one's end", () => !isAlive(first));
    expect(await ask("now").answer).toBe(`one ${second}\n`);
  });
});

test("an upgrade in place continues a stop whose main process has ended", async () => {
  const crank = await service.start();
  await deploy("-stop", "30", ...sh(`${PATIENT} old; echo over`));
  const held = ask("hold");
  await held.connected;
  await deploy(...sh(`exec ${PATIENT} new`));
  await waitFor("the shell's end", async () => (await shown(1))?.rest !== undefined);
  expect(await service.ctl("upgrade", "-wait")).toMatchObject({ status: 0 });
  expect(await shown(1)).toMatchObject({ state: "stopping" });
  writeFileSync(service.path("go"), "");
  expect(await held.answer).toStartWith("old ");
  await waitFor("the worker's end", async () => (await shown(1)) === undefined);
  expect(crank.stderr()).not.toContain("Killed");
});
