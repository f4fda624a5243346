// Kernels and containers without some system calls: crank does the same in another way, or says what it cannot do.
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CRANK, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { freePorts } from "../harness/ports.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { REFUSE_SYSCALLS } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const isRoot = process.getuid?.() === 0;

const web = eachTest(new Service());

/** crank where these calls fail with this error. */
const start = (errno: string, names: string, bind = "127.0.0.1:0"): Promise<Running> =>
  web.launch([...REFUSE_SYSCALLS, errno, names, CRANK, ...web.own, "-bind", bind, "-verbose"]);
const run = (...words: readonly string[]) =>
  web.run("-stop", "2", "-ready", "delay:0.1", ...words, "--", "sleep", "600");

/** Docker's default profile, as its documentation lists what it refuses. */
const REFUSED_BY_DOCKER =
  "acct,add_key,bpf,clock_adjtime,clock_settime,delete_module,finit_module,get_mempolicy,init_module,io_uring_enter,io_uring_register,io_uring_setup,kcmp,kexec_file_load,kexec_load,mbind,mount,move_pages,open_by_handle_at,perf_event_open,personality,pivot_root,process_vm_readv,process_vm_writev,ptrace,quotactl,reboot,request_key,set_mempolicy,setns,settimeofday,swapoff,swapon,umount2,unshare,userfaultfd,keyctl,pidfd_getfd";

test("crank needs nothing that Docker's default profile refuses, except to take sockets back after it was killed", async () => {
  const docker = [...REFUSE_SYSCALLS, "ENOSYS", "clone3", ...REFUSE_SYSCALLS, "EPERM", REFUSED_BY_DOCKER];
  const words = [...docker, ...web.crankCommand("-linger", "0", "-verbose")];
  await web.launch(words);
  for (const value of ["one", "two"]) expect(await run("-env", `VALUE=${value}`)).toMatchObject({ status: 0 });
  expect(await web.bench.run([...docker, ...web.ctlCommand("kill", "-signal", "CONT", "-ready")])).toMatchObject({
    status: 0,
  });
  const [before] = await web.settled(1);
  await web.kill();
  const second = await web.bench.run(words);
  expect(second.status).toBe(1);
  expect(second.stderr).toContain(
    `(pid ${before?.pid}): operation not permitted; start crank with the permission for it (CAP_SYS_PTRACE), or stop those workers and`,
  );
  process.kill(before?.pid ?? Number.NaN, "SIGKILL");
});

describe.each(["ENOSYS", "EPERM"])("%s", (errno) => {
  test("of close_range: workers get their descriptors and no others", async () => {
    await start(errno, "close_range");
    expect(await run()).toMatchObject({ status: 0 });
    const [worker] = await web.ps();
    expect(readdirSync(`/proc/${worker?.pid}/fd`).map(Number).sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test("of close_range with its flag alone (Linux 5.9): workers get their descriptors and no others", async () => {
    await start("EINVAL", "close_range");
    expect(await run()).toMatchObject({ status: 0 });
    const [worker] = await web.ps();
    expect(readdirSync(`/proc/${worker?.pid}/fd`).map(Number).sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test("of pidfd_send_signal: adopted workers are still stopped", async () => {
    await start(errno, "pidfd_send_signal");
    expect(await run()).toMatchObject({ status: 0 });
    const [before] = await web.ps();
    await web.kill();
    const second = await start(errno, "pidfd_send_signal");
    await second.wrote("stderr", "Adopted");
    expect(await run("-env", "NEXT=1")).toMatchObject({ status: 0 });
    await waitFor("the end of the adopted worker", () => !existsSync(`/proc/${before?.pid}`));
  });

  test("of pidfd_getfd: a next crank that cannot take the socket says so, and the workers continue", async () => {
    const [port = 0] = await freePorts(1);
    await start(errno, "close_range", `127.0.0.1:${port}`);
    expect(await run()).toMatchObject({ status: 0 });
    const [worker] = await web.ps();
    await web.kill();
    const own = [...web.own, "-bind", `127.0.0.1:${port}`];
    const { status, stderr } = await web.bench.run([...REFUSE_SYSCALLS, errno, "pidfd_getfd", CRANK, ...own]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^crank: .*the socket cannot be taken from the workers that hold it: worker 1 .*\n$/);
    expect(isAlive(worker?.pid ?? 0)).toBe(true);
    await web.startOn([`127.0.0.1:${port}`]);
    expect((await web.ps()).map(({ pid }) => pid)).toEqual([worker?.pid ?? 0]);
  });

  test("of pidfd_open: crank says at its start what it cannot do, and starts and stops workers", async () => {
    const crank = await start(errno, "pidfd_open,pidfd_send_signal,pidfd_getfd");
    await crank.wrote("stderr", "pidfd_open(2) is missing");
    expect(await run()).toMatchObject({ status: 0 });
    const [before] = await web.ps();
    expect(await run("-env", "NEXT=1")).toMatchObject({ status: 0 });
    await waitFor("the end of the worker before", () => !existsSync(`/proc/${before?.pid}`));
  });

  test("of execveat: workers and supervisors still start, even after the program was replaced", async () => {
    const copy = web.path("home/bin");
    mkdirSync(copy, { recursive: true });
    copyFileSync(CRANK, join(copy, "crank"));
    symlinkSync("crank", join(copy, "runtime"));
    const own = [...web.own, "-bind", "127.0.0.1:0", "-linger", "60"];
    const crank = await web.launch([...REFUSE_SYSCALLS, errno, "execveat", join(copy, "crank"), ...own]);
    rmSync(join(copy, "crank"));
    writeFileSync(join(copy, "crank"), "#!/bin/false\n", { mode: 0o755 });
    signal(await waitFor("the supervisor", () => supervisorOf(crank)), "SIGKILL");
    expect(await run()).toMatchObject({ status: 0 });
  });

  test("of memfd_create: crank does not start, and says what it needs", async () => {
    const own = [...web.own, "-bind", "127.0.0.1:0"];
    const { status, stderr } = await web.bench.run([...REFUSE_SYSCALLS, errno, "memfd_create", CRANK, ...own]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^crank: needs Linux 5\.6 or later, and a container that allows memfd_create\(2\): .*\n$/);
  });

  test.skipIf(!isRoot)("of keyctl: workers of another user still start", async () => {
    await start(errno, "keyctl,statx");
    expect(await run("-user", "nobody", "-cwd", "/")).toMatchObject({ status: 0 });
  });
});
