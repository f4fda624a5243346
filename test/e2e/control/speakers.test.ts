// Which processes may send READY=1 for a worker: its short-lived children always, strangers never.
import { expect, test } from "bun:test";
import { chmodSync, existsSync } from "node:fs";
import { needing, ROOT_USER } from "../../needs.ts";
import type { Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const CHILDREN = 200;
const NOBODY = 65534;
const REFUSED = "to which it does not belong";

const web = eachTest(new Service({ flags: ["-verbose"] }));

/** Sends it as systemd-notify does: from a process that exits right after it, perhaps after its parent. */
const SAYING = `import os, socket
def say():
    if os.fork() == 0:
        if os.fork() == 0:
            end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            end.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
            os._exit(0)
        os._exit(0)
`;

test("messages of children count even if the children exit at once, however many they are", async () => {
  const crank = await web.start();
  // In batches, so that the kernel's queue has room for all of them.
  const worker = `${SAYING}
for batch in range(${CHILDREN / 10}):
    for child in range(10): say()
    try:
        while True: os.wait()
    except ChildProcessError: pass
`;
  await web.ctl("run", "--", "python3", "-c", worker);
  // Messages of a worker's processes are read before its end is handled.
  await crank.ended;
  await crank.wrote("stderr", "is ready");
  expect(crank.stderr()).not.toContain(REFUSED);
});

test("each of many workers becomes ready when one of its children says so", async () => {
  const crank = await web.start();
  const worker = `${SAYING}
say()
import signal
signal.pause()`;
  for (let round = 0; round < 2; round++) {
    const deployed = await web.run("-instances", "5", "-surge", "5", "--", "python3", "-c", worker);
    expect(deployed).toMatchObject({ status: 0 });
  }
  expect(crank.stderr()).not.toContain(REFUSED);
});

/** The notify socket of a worker that never sends anything, where every user can reach it. */
const openToAll = async (): Promise<string> => {
  await web.ctl("run", "-start", "600", "--", "sleep", "600");
  await web.started();
  const path = web.path("web.run/notify/000001");
  await waitFor("its socket", () => existsSync(path));
  chmodSync(web.directory, 0o711);
  chmodSync(path, 0o666);
  return path;
};

/** Says that the worker is ready, as this user, and stays or exits. */
const stranger = (path: string, user: number, then: "stay" | "go"): Running => {
  const program = `import os, socket, sys, time
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", sys.argv[1])
print("said", flush=True)
if sys.argv[3] == "stay": time.sleep(600)`;
  return web.bench.start(["python3", "-c", program, path, String(user), then]);
};

needing(ROOT_USER).test(
  "a stranger that is alive and has the right address is refused, whichever user it runs as",
  async () => {
    const crank = await web.start();
    const path = await openToAll();
    for (const user of [0, NOBODY]) {
      const { pid } = stranger(path, user, "stay");
      await waitFor("the refusal", () =>
        crank.stderr().includes(`Process ${pid} of user ${user} sent READY=1 for worker 1, ${REFUSED}`),
      );
    }
    expect(await web.ps()).toMatchObject([{ state: "starting" }]);
  },
);

needing(ROOT_USER).test("a stranger of another user that exits before crank checks it is refused", async () => {
  const crank = await web.start("-linger", "60");
  const path = await openToAll();
  const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
  process.kill(supervisor, "SIGSTOP");
  const { pid, ended } = stranger(path, NOBODY, "go");
  await ended;
  expect(isAlive(pid)).toBe(false);
  signal(supervisor, "SIGCONT");
  await waitFor("the refusal", () =>
    crank.stderr().includes(`Process ${pid} of user ${NOBODY} sent READY=1 for worker 1, ${REFUSED}`),
  );
  expect(await web.ps()).toMatchObject([{ state: "starting" }]);
});
