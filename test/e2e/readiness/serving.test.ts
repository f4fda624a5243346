// Ready means serving: a worker that is ready holds the service's sockets, itself or in a process that it has started.
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "../harness/apps.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { WEB_SERVER } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

/** Closes these descriptors (`3,4`), listens on something else, and reports that it is ready. */
const ELSEWHERE = ["python3", join(ROOT, "test/apps/elsewhere.py")];
const DONE = { status: 0, stdout: expect.stringContaining(" deployed in ") };

const web = eachTest(new Service({ app: ELSEWHERE }));

/** The last failure of a worker, according to the events. */
const failure = async (): Promise<unknown> => {
  const failed = (await web.events()).findLast((event) => event.kind === "workerFailed");
  return failed?.kind === "workerFailed" ? failed.failure : undefined;
};

describe("a worker that is ready and does not hold the socket", () => {
  test("fails, and the message says where it listens instead; the old one continues to serve", async () => {
    const crank = await web.start();
    const address = `tcp://127.0.0.1:${web.port}`;
    await web.run("-ready", "http:/healthz", "--", ...WEB_SERVER, "one");
    const failed = await web.app(["3", "tcp"], "-ready", "notify");
    expect(failed.status).toBe(1);
    const message = new RegExp(
      `it sent READY=1 but does not hold ${address} \\(descriptor 3\\); it listens on 127\\.0\\.0\\.1:\\d+`,
    );
    expect(failed.stdout + failed.stderr).toMatch(message);
    await crank.wrote("stderr", message);
    expect(await failure()).toMatchObject({
      kind: "notServing",
      sign: "notify",
      sockets: { missing: [`${address} (descriptor 3)`], held: 0, listens: [expect.stringContaining("127.0.0.1:")] },
    });
    expect(await web.get()).toContain("one");
  });

  test("fails with a delay that its READY=1 cuts short", async () => {
    await web.start();
    const failed = await web.app(["3", "tcp"], "-ready", "delay:600");
    expect(failed.stdout + failed.stderr).toContain("it sent READY=1 but does not hold");
  });

  test("fails with a delay, too", async () => {
    await web.start();
    const words = ["sh", "-c", "exec 3<&-; exec sleep 600"];
    const failed = await web.run("-ready", "delay:3", "--", ...words);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("it ran for the readiness delay but does not hold");
  });

  test("fails with a probe, too", async () => {
    await web.start();
    const closed = web.path("closed");
    const words = ["sh", "-c", `exec 3<&-; touch ${closed}; exec sleep 600`];
    const asked = ["-ready", `exec:test -e ${closed}`, "-probe-interval", "0.05"];
    const failed = await web.run(...asked, "--", ...words);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("its probe succeeded but it does not hold");
  });

  test("fails with an acknowledgement, too", async () => {
    await web.start();
    const program = `import json, os, signal, socket
os.close(3)
with socket.socket(socket.AF_UNIX) as control:
    control.connect(os.environ["EINHORN_SOCK_PATH"])
    control.sendall(json.dumps({"command": "worker:ack", "pid": os.getpid()}).encode() + b"\\n")
signal.pause()`;
    const failed = await web.run("-ready", "ack", "--", "python3", "-c", program);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("it acknowledged that it is ready but does not hold");
    expect(failed.stdout + failed.stderr).toContain("it listens nowhere");
  });

  test("but holds another one gets its stop signal, because it may serve there, and only the missing one is named", async () => {
    const crank = await web.start("-bind", web.path("web.sock"), "-bind", "udp://127.0.0.1:0");
    const failed = await web.app(["4,5", "udp"]);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toMatch(
      /does not hold unix:\/\/\S*web\.sock \(descriptor 4\), udp:\/\/127\.0\.0\.1:\d+ \(descriptor 5\); it listens on udp:\/\/127\.0\.0\.1:\d+/,
    );
    await crank.wrote("stderr", /Stopping worker 1 .* with SIGTERM/);
    expect(crank.stderr()).not.toContain("SIGKILL");
  });

  test("may be ready with -sockets-optional, as a flag of crank or of the run", async () => {
    await web.start();
    expect(await web.app(["3", "tcp"], "-sockets-optional")).toMatchObject(DONE);
    expect(await web.app(["3", "tcp"])).toMatchObject(DONE);
    expect(await web.app(["3", "tcp"], "-sockets-optional=false")).toMatchObject({ status: 1 });
    await web.bench.crank("other", ["-bind", "127.0.0.1:0", "-sockets-optional"]);
    const other = await web.bench.ctl("other", "run", "-wait", "--", ...ELSEWHERE, "3", "tcp");
    expect(other).toMatchObject(DONE);
  });

  test("but has a wrapper that holds it fails, and both are named", async () => {
    await web.start();
    const child = `import os, socket
with socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.connect(os.environ["NOTIFY_SOCKET"])
    notify.send(b"READY=1")
    import signal
    signal.pause()`;
    const wrapper = "import subprocess, sys; sys.exit(subprocess.call(['python3', '-c', sys.argv[1]]))";
    const failed = await web.run("--", "python3", "-c", wrapper, child);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toMatch(
      /it sent READY=1 but holds its sockets only in process \d+ \(python3\S*\); process \d+ \(python3\S*\) listens on 127\.0\.0\.1:\d+/,
    );
  });
});

describe("a worker that is ready and holds the socket", () => {
  test.each([
    ["in a child process", ["3", "nothing", "child"]],
    ["under another number", ["3", "tcp", "moved"]],
    ["and listens elsewhere as well", ["", "tcp"]],
  ])("%s is ready", async (_where, words) => {
    await web.start();
    expect(await web.app([...words])).toMatchObject(DONE);
  });

  test("in an orphaned child process is ready", async () => {
    await web.start();
    const program = `import os, signal
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        os.close(int(os.environ["NOTIFY_FD"]))
        signal.pause()
    os._exit(0)
os.wait()
os.close(3)
os.write(int(os.environ["NOTIFY_FD"]), b"READY=1")
signal.pause()`;
    expect(await web.run("--", "python3", "-c", program)).toMatchObject(DONE);
  });

  test("in a process that crank cannot inspect is taken for ready, and that is reported once", async () => {
    const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    await web.bench.run(["chown", "65534", web.directory]);
    await web.bench.run(["chmod", "755", web.directory]);
    const crank = await web.launch([...user, ...web.crankCommand()]);
    // prctl(PR_SET_DUMPABLE, 0): from now on only root can see its descriptors.
    const program = `import ctypes, os, signal
ctypes.CDLL(None).prctl(4, 0)
os.write(int(os.environ["NOTIFY_FD"]), b"READY=1")
signal.pause()`;
    expect(await web.run("-instances", "2", "--", "python3", "-c", program)).toMatchObject(DONE);
    await crank.wrote(
      "stderr",
      /WARNING: Worker \d \(pid \d+\) is accepted as ready, but crank cannot see whether it holds tcp:\S+ \(descriptor 3\)/,
    );
    expect(crank.stderr().match(/crank cannot see whether/g)).toHaveLength(1);
  });
});

describe("a worker that is not ready in time", () => {
  test("is reported with the socket that it does not hold, and with where it listens", async () => {
    await web.start();
    const failed = await web.app(["3", "tcp", "silent"], "-start", "6");
    expect(failed.stdout + failed.stderr).toMatch(
      /not ready within 6 s; it does not hold tcp:\S+ \(descriptor 3\); it listens on 127\.0\.0\.1:\d+/,
    );
    expect(await failure()).toMatchObject({ kind: "timeout", sockets: { held: 0 } });
  });

  test("is reported with where else it listens, when it has not closed the socket", async () => {
    await web.start();
    const failed = await web.app(["", "tcp", "silent"], "-start", "6");
    expect(failed.stdout + failed.stderr).toMatch(
      /not ready within 6 s; it holds its sockets; it also listens on 127\.0\.0\.1:\d+/,
    );
  });

  test("is reported with its wrapper", async () => {
    await web.start();
    writeFileSync(web.path("server.cjs"), 'require("node:http").createServer().listen(0, "127.0.0.1");\n');
    const command = ["node", "-e", WRAPPER];
    const failed = await web.run("-start", "8", "-cwd", web.directory, "--", ...command);
    expect(failed.stdout + failed.stderr).toMatch(
      /not ready within 8 s; it holds its sockets only in process \d+ \(.+\); process \d+ \(\S+\) listens on 127\.0\.0\.1:\d+/,
    );
  });

  test("is reported without a reason when it holds the socket and listens nowhere else", async () => {
    await web.start();
    const failed = await web.app(["", "nothing", "silent"], "-start", "6");
    expect(failed.stdout + failed.stderr).toMatch(/not ready within 6 s\n/);
  });
});

const WRAPPER = `require("node:child_process").spawn(process.execPath, ["server.cjs"])`;

describe("under other names a ready worker that does not hold the socket is ready, and a warning names it:", () => {
  const WARNING = /is ready but does not hold tcp:\S+ \(descriptor 3\); it listens on 127\.0\.0\.1:\d+/;
  const moved = compiled("moved");

  test("socketmaster", async () => {
    const flags = ["-command", moved, "-listen", "tcp://127.0.0.1:0", "-start", "2500"];
    const master = web.bench.start([join(ROOT, "bin/socketmaster"), ...flags]);
    await master.wrote("stderr", WARNING);
    expect(master.stderr()).not.toContain("SIGKILL");
  });

  test("einhorn", async () => {
    const files = ["-d", "e.sock", "-e", "e.pid", "-f", "e.lock"];
    const flags = [...files, "-b", "127.0.0.1:0", "-m", "2.5"];
    const master = web.bench.start([join(ROOT, "bin/einhorn"), ...flags, moved]);
    await waitFor("the warning", () => WARNING.test(master.stdout() + master.stderr()));
  });

  test("einhyrningsins", async () => {
    const flags = ["-d", web.path("s.sock"), "-b", "127.0.0.1:0"];
    const master = web.bench.start([join(ROOT, "bin/einhyrningsins"), ...flags, moved]);
    await waitFor("the warning", () => WARNING.test(master.stdout() + master.stderr()));
  });
});
