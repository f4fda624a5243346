// einhorn from outside: what its workers get, how they become ready, how they are restarted, and its signals.
import { describe, expect } from "bun:test";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CRANKCTL, ROOT } from "../harness/bench.ts";
import { niceOf, Stage, scene, titleOf, WORKER } from "../harness/einhorn.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

describe("workers", () => {
  scene("get their environment and their own process group, and become ready by worker:ack", async (stage) => {
    const master = stage.master(["-n", "2", "-l", "7", "-b", "127.0.0.1:0,n,zz"], "v1", "environment");
    const pids = await stage.ready(2);
    await waitFor("both environments", () => master.stdout().match(/^\{.*\}$/gm)?.length === 2);
    const environments = [...master.stdout().matchAll(/^\{.*\}$/gm)].map(([json]) => JSON.parse(json));
    expect(environments.map((each) => each.EINHORN_CHILD_INDEX).sort()).toEqual(["0", "1"]);
    for (const each of environments) {
      expect(each).toMatchObject({
        EINHORN_FD_COUNT: "2",
        EINHORN_FD_0: "3",
        EINHORN_FD_1: "4",
        EINHORN_MASTER_PID: String(master.pid),
        EINHORN_SOCK_PATH: stage.socket,
      });
    }
    for (const pid of pids) expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[4]).toBe(String(pid));
    await master.wrote("stderr", "zz is unknown and ignored");
    await master.wrote("stdout", /^socket 0 127\.0\.0\.1 True /m);
    await master.wrote("stdout", /^socket 1 127\.0\.0\.1 False /m);
    const status = await stage.bench.run([CRANKCTL, "-ctl", stage.socket, "status", "-json"]);
    const { sockets } = JSON.parse(status.stdout);
    expect(sockets.map(({ limit }: { limit: number }) => limit)).toEqual([7, 7]);
  });

  scene("get a descriptor connected to the control socket with -g", async (stage) => {
    const worker = ["python3", WORKER, "v1", "ack-fd", "environment"];
    const master = stage.start(["-g", "-m", "manual", "-n", "2", "-b", "127.0.0.1:0", ...worker]);
    await stage.ready(2);
    await master.wrote("stdout", `peer socket ${stage.socket}`);
    await master.wrote("stdout", `"EINHORN_SOCK_PATH": "${stage.socket}"`);
    expect(await stage.sh("state")).toContain(":command_socket_as_fd: true");
  });

  scene(
    "cannot be started with -g while the control socket is unreachable, and start when it is reachable",
    async (stage) => {
      const worker = ["python3", WORKER, "v1", "ack-fd"];
      const master = stage.start(["-g", "-m", "manual", "-s", "0.1", "-b", "127.0.0.1:0", ...worker]);
      const [pid = 0] = await stage.ready(1);
      renameSync(stage.socket, stage.path("elsewhere"));
      process.kill(pid, "SIGKILL");
      await waitFor("the failure", () => master.stderr().includes("failed: connect: no such file or directory"));
      renameSync(stage.path("elsewhere"), stage.socket);
      await stage.ready(1);
    },
  );

  scene("have the nice level of --nice, and the master has its own", async (stage) => {
    const master = stage.master(["--nice", "15:17"]);
    const [pid = 0] = await stage.ready(1);
    expect([niceOf(master.pid), niceOf(pid)]).toEqual([15, 17]);
    const other = new Stage();
    try {
      const second = other.master(["--nice", "16"]);
      const [worker = 0] = await other.ready(1);
      expect([niceOf(second.pid), niceOf(worker)]).toEqual([16, 16]);
    } finally {
      await other.clean();
    }
  });

  scene("have the nice level that the command of --nice gives them, and so has the master", async (stage) => {
    const renice = stage.path("renice");
    writeFileSync(renice, '#!/bin/sh\necho "$*" >>"$0.said"\nexec renice "$@"\n', { mode: 0o755 });
    const master = stage.master(["--nice", `15:17:${renice} -n`]);
    const [pid = 0] = await stage.ready(1);
    await waitFor("their levels", () => niceOf(master.pid) === 15 && niceOf(pid) === 17);
    const said = readFileSync(`${renice}.said`, "utf8").trim().split("\n").sort();
    expect(said).toEqual([`-n 15 -p ${master.pid}`, `-n 17 -p ${pid}`].sort());
  });

  scene("go on when the command of --nice fails, and the log says so", async (stage) => {
    const master = stage.master(["--nice", "15:17:exit 3;"]);
    await stage.ready(1);
    await waitFor("the word", () => master.stderr().includes("--nice: the command exit 3; exited with status 3"));
  });

  scene("are executed by the path that PATH gives for their program", async (stage) => {
    stage.start(["-m", "0", "sleep", "600"]);
    const [pid = 0] = await stage.ready(1);
    const [program, ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    expect(program).toMatch(/^\/.*\/sleep$/);
    expect(args).toEqual(["600", ""]);
  });

  scene("become ready by age alone where -m says so, whatever they acknowledge", async (stage) => {
    const master = stage.start(["-m", "600", "-b", "127.0.0.1:0", "python3", WORKER, "v1", "ack"]);
    await waitFor("the acknowledgement", () => master.stdout().includes("answered"));
    expect(await stage.sh("state")).toContain(":acked: false");
  });

  scene(
    "in Ruby and shell work too",
    async (stage) => {
      stage.start(["-m", "manual", "-b", "127.0.0.1:0", "ruby", join(ROOT, "test/apps/einhorn/worker.rb"), "v1"]);
      // The Ruby worker waits for its answer, and the connection ends without one.
      await stage.state(/:acked: true/);
      const other = new Stage();
      try {
        other.start(["-m", "0.05", "sh", "-c", "exec sleep 600"]);
        await other.ready(1);
      } finally {
        await other.clean();
      }
    },
    ["ruby"],
  );

  scene("that die are started again with the free index, also before they are ready", async (stage) => {
    const flag = join(stage.bench.directory, "flag");
    stage.master(["-n", "2"], "v1", `dies=${flag}`);
    const [first = 0, second = 0] = await stage.ready(2);
    writeFileSync(flag, "");
    process.kill(first, "SIGKILL");
    await stage.state(/:consecutive_deaths_before_ack: [2-9]/);
    await stage.bench.run(["rm", flag]);
    expect(await stage.ready(2)).toContain(second);
    expect((await stage.sh("state")).match(/:index: [01]$/gm)?.sort()).toEqual([":index: 0", ":index: 1"]);
  });

  scene("get SIGUSR2 when the master is killed, with -k", async (stage) => {
    const master = stage.master(["-k"]);
    const [pid = 0] = await stage.ready(1);
    master.signal("SIGKILL");
    await waitFor("the worker's word", () => master.stdout().includes(`${pid} got SIGUSR2`));
    await waitFor("the worker's end", () => !isAlive(pid));
  });

  scene("go on when the master is killed, and the next one takes over workers and sockets", async (stage) => {
    const flags = ["-n", "2", "-b", "127.0.0.1:0"];
    const master = stage.master(flags);
    const before = await stage.ready(2);
    const ports = /:bound_ports:(\n {2}- \d+)+/;
    const [bound] = ports.exec(await stage.sh("state")) ?? [];
    master.signal("SIGKILL");
    await waitFor("the master's end", () => !isAlive(master.pid));
    const next = stage.master(flags);
    expect(await stage.ready(2)).toEqual(before);
    expect(ports.exec(await stage.sh("state"))?.[0]).toBe(bound ?? "");
    await next.wrote("stderr", "Adopted 2 of the 2 workers");
    expect(readFileSync(stage.path("einhorn.pid"), "utf8")).toBe(String(next.pid));
    expect(titleOf(next.pid)).toStartWith("einhorn: python3");
    next.signal("SIGTERM");
    expect((await next.ended).status).toBe(0);
    await waitFor("their end", () => before.every((pid) => !isAlive(pid)));
  });
});

describe("a signal", () => {
  for (const [signal, passed, status] of [
    ["SIGINT", "SIGUSR2", 0],
    ["SIGUSR2", "SIGUSR2", 0],
    ["SIGTERM", "SIGTERM", 0],
    ["SIGQUIT", "SIGQUIT", 1],
  ] as const)
    scene(`${signal} ends the master with ${status}, and its workers by ${passed}`, async (stage) => {
      const master = stage.master([]);
      const [pid = 0] = await stage.ready(1);
      master.signal(signal);
      expect((await master.ended).status).toBe(status);
      await waitFor("the worker's word", () => master.stdout().includes(`${pid} got ${passed}`));
      await waitFor("the worker's end", () => !isAlive(pid));
    });

  scene("SIGQUIT leaves workers behind that survive it, and they can still write", async (stage) => {
    const master = stage.master([], "v1", "deaf");
    const [pid = 0] = await stage.ready(1);
    master.signal("SIGQUIT");
    await waitFor("the master's end", () => !isAlive(master.pid));
    await waitFor("the signal", () => master.stdout().includes(`${pid} got SIGQUIT`));
    process.kill(pid, "SIGHUP");
    await waitFor("another word", () => master.stdout().includes(`${pid} got SIGHUP`));
    process.kill(pid, "SIGKILL");
    expect((await master.ended).status).toBe(1);
  });

  scene("is followed by SIGKILL after the time of -t", async (stage) => {
    const master = stage.master(["-t", "0.2"], "v1", "deaf");
    const [pid = 0] = await stage.ready(1);
    expect(await stage.sh("die")).toBe("Einhorn is going down! ".trimEnd());
    expect((await master.ended).status).toBe(0);
    expect(isAlive(pid)).toBe(false);
    await master.wrote("stdout", `${pid} got SIGUSR2`);
  });
});
