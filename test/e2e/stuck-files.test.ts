// Descriptors whose close(2) takes as long as a worker likes: crank goes on, whatever way they come in.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Bench, ROOT, waitFor } from "./harness/service.ts";

const STUCK = join(ROOT, "test/apps/stuck_files.py");
const canMount = process.getuid?.() === 0 && existsSync("/dev/fuse");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

/** crankctl's answer counts as late after this: a keeper that is held up gives none at all. */
const PATIENCE_MS = 15_000;

const answers = async (...words: readonly string[]): Promise<void> => {
  const begun = performance.now();
  expect(await bench.ctl("web", ...words)).toMatchObject({ status: 0 });
  expect(performance.now() - begun).toBeLessThan(PATIENCE_MS);
};

test.skipIf(!canMount).each(["store", "number"])(
  "a descriptor of a file that nothing can close does not hold up crank (%s)",
  async (way) => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-verbose"]);
    await answers("run", "-wait", "-stop", "1", "-hand-over", "-fd-store", "10", "--", "python3", STUCK, way);
    await crank.wrote("stdout", "said it");
    await answers("status");
    // Starts and stops go on as well: a process that crank starts does not have the descriptor either.
    await answers("run", "-wait", "-hand-over=false", "-stop", "1", "-ready", "delay:0.1", "--", "sleep", "600");
    await waitFor("the worker before to be gone", async () => {
      const workers: readonly unknown[] = JSON.parse((await bench.ctl("web", "ps", "-json")).stdout);
      return workers.length === 1;
    });
    await answers("status");
    await answers("shutdown", "-wait");
    expect(await crank.ended).toMatchObject({ status: 0 });
  },
);

test("a client that sends a descriptor with its request is let go of, and what its close waits for holds up nothing", async () => {
  await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  // The connection that it sends has SO_LINGER and a peer that never reads: whoever closes it last waits for two minutes.
  // It is a process that ends which sends it: that one does not wait.
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
  const client = bench.start(["python3", "-c", program, join(bench.directory, "web.ctl")]);
  await waitFor("the end of its connection", () => client.stdout() === "0\n");
  await answers("status");
});
