// Descriptors whose close(2) blocks as long as a worker likes: crank goes on, however it received them.
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CRANK, portOf, ROOT, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive, signal } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const STUCK = join(ROOT, "test/apps/stuck_files.py");
const STUCK_EXEC = join(ROOT, "test/apps/stuck_exec.py");
const canMount = process.getuid?.() === 0 && existsSync("/dev/fuse");

const web = eachTest(new Service({ flags: ["-verbose"] }));

/** crankctl's answer counts as late after this: a blocked keeper gives none at all. */
const PATIENCE_MS = 15_000;

const answers = async (...words: readonly string[]): Promise<void> => {
  const begun = performance.now();
  expect(await web.ctl(...words)).toMatchObject({ status: 0 });
  expect(performance.now() - begun).toBeLessThan(PATIENCE_MS);
};

test.skipIf(!canMount).each(["store", "number"])(
  "a descriptor whose close blocks does not block crank (%s)",
  async (way) => {
    const crank = await web.start();
    await answers("run", "-wait", "-stop", "1", "-hand-over", "-fd-store", "10", "--", "python3", STUCK, way);
    await crank.wrote("stdout", "said it");
    await answers("status");
    // Starts and stops continue as well: a process that crank starts does not have the descriptor either.
    await answers("run", "-wait", "-hand-over=false", "-stop", "1", "-ready", "delay:0.1", "--", "sleep", "600");
    await web.settled(1);
    await answers("status");
    await answers("shutdown", "-wait");
    expect(await crank.ended).toMatchObject({ status: 0 });
  },
);

/** Whether reading the identity of a process blocks; tested in a process that is killed after a timeout. */
const waits = (pid: number): boolean =>
  spawnSync("cat", [`/proc/${pid}/stat`], { timeout: 500, killSignal: "SIGKILL" }).status === null;

/** The pid of the worker's stuck process, once it is stuck. */
const stuckProcess = async (crank: Running): Promise<number> => {
  const pid = await waitFor(
    "the pid of the process",
    () => Number(/stuck (\d+)/.exec(crank.stdout())?.[1] ?? 0) || null,
  );
  await waitFor("the process to be stuck", () => waits(pid));
  return pid;
};

test.skipIf(!canMount).each(["child", "orphan", "main"])(
  "a process that is stuck in execve does not block crank, and ends with its worker (%s)",
  async (way) => {
    const crank = await web.start();
    await answers("run", "-wait", "-stop", "1", "--", "python3", STUCK_EXEC, way);
    const pid = await stuckProcess(crank);
    await answers("ps");
    await answers("status");
    await answers("run", "-wait", "-stop", "1", "-ready", "delay:0.1", "--", "sleep", "600");
    await web.settled(1);
    await waitFor("the stuck process to be gone", () => !existsSync(`/proc/${pid}`));
    await answers("status");
    await answers("shutdown", "-wait");
    expect(await crank.ended).toMatchObject({ status: 0 });
  },
);

test.skipIf(!canMount)("a crank starts although a process of the machine is stuck in execve", async () => {
  const other = await web.bench.crank("other", ["-bind", "127.0.0.1:0", "-verbose"]);
  expect(await web.bench.ctl("other", "run", "-wait", "--", "python3", STUCK_EXEC, "child")).toMatchObject({
    status: 0,
  });
  const pid = await stuckProcess(other);
  const crank = await web.start();
  await answers("run", "-wait", "-stop", "1", "-ready", "delay:0.1", "--", "sleep", "600");
  await answers("reload", "-wait");
  await answers("shutdown", "-wait");
  expect(await crank.ended).toMatchObject({ status: 0 });
  // To find who has an address in use, crank reads the descriptors of all processes.
  const begun = performance.now();
  const bind = `127.0.0.1:${portOf(other)}`;
  const refused = await web.bench.run([CRANK, "-prefix", web.directory, "-name", "third", "-bind", bind]);
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toContain("worker 1 of crank's service other");
  expect(performance.now() - begun).toBeLessThan(PATIENCE_MS);
  // The same is done to find the workers of a killed crank whose journal is gone.
  signal(other.pid, "SIGKILL");
  await waitFor("the end of crank", () => !isAlive(other.pid));
  rmSync(web.path("other.run/journal"));
  const next = await web.bench.crank("other", ["-bind", bind, "-verbose"]);
  await next.wrote("stderr", "There is no journal of the worker");
  expect(await web.bench.ctl("other", "shutdown", "-wait")).toMatchObject({ status: 0 });
  await waitFor("the stuck process to be gone", () => !existsSync(`/proc/${pid}`));
});

test("a client that sends a descriptor with its request is disconnected, and a close that blocks delays nothing", async () => {
  await web.start();
  // The connection that it sends has SO_LINGER and a peer that never reads: the process that closes it last waits for two
  // minutes. The sender is about to end and does not wait.
  const program = `import array, os, socket, struct, sys
listener = socket.create_server(("127.0.0.1", 0))
sent = socket.create_connection(listener.getsockname()); far, _ = listener.accept()
sent.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 120)); sent.setblocking(False)
try:
    while True: sent.send(bytes(65536))
except BlockingIOError: pass
control = socket.socket(socket.AF_UNIX); control.connect(sys.argv[1])
rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sent.fileno()]))
waits, goes = os.pipe()
if os.fork() == 0:
    os.read(waits, 1)
    control.sendmsg([b'{"jsonrpc":"2.0","id":1,"method":"info"}\\n'], [rights])
    os._exit(0)
sent.close()
os.write(goes, b"x")
try: said = control.recv(4096)
except OSError: said = b""
print(len(said), flush=True)
import time; time.sleep(600)`;
  const client = web.bench.start(["python3", "-c", program, web.path("web.ctl")]);
  await waitFor("the end of its connection", () => client.stdout() === "0\n");
  await answers("status");
});
