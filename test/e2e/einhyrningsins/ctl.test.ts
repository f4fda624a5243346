// einhyrningsinsctl from outside: what it sends, prints and exits with, one command at a time and as a shell.
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Bench, type Ended } from "../harness/bench.ts";
import { EINHYRNINGSINSCTL, type Stage, scene, WORKER, workers } from "../harness/einhyrningsins.ts";
import { waitFor } from "../harness/wait.ts";

const ctl = (stage: Stage, ...args: readonly string[]): Promise<Ended> =>
  stage.bench.run([EINHYRNINGSINSCTL, "-d", stage.socket, ...args]);

/** A master that records every line and answers each with its number; it ends with the first connection. */
const RECORDER = `import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1] + ".new"); s.listen(); os.rename(sys.argv[1] + ".new", sys.argv[1])
c, _ = s.accept(); lines = c.makefile("rb"); number = 0
for line in lines:
    number += 1
    print(line.decode(), end="", flush=True)
    if number == int(sys.argv[2]): break
    c.sendall(b'"Hi there!"\\n\\r' if number == 1 else b'"answer %d"\\n' % number)`;

const recorder = async (stage: Stage, lines: number) => {
  const running = stage.bench.start(["python3", "-c", RECORDER, stage.socket, String(lines)]);
  await waitFor("the recorder", () => existsSync(stage.socket));
  return running;
};

describe("einhyrningsinsctl -e", () => {
  scene("sends ehlo, then the command with its arguments, and prints only its answer", async (stage) => {
    const master = await recorder(stage, 99);
    expect(await ctl(stage, "-e", "signal  HUP")).toEqual({ status: 0, stdout: "answer 2\n", stderr: "" });
    expect((await master.ended).stdout).toBe('{"command":"ehlo","args":[]}\n{"command":"signal","args":["HUP"]}\n');
  });

  scene("prints what a real master answers, and a status with its lines", async (stage) => {
    const master = stage.master([], "v1");
    const [pid] = await workers(master, 1);
    expect(await ctl(stage, "--execute=version")).toMatchObject({ status: 0, stdout: "einhyrningsinsctl 0.2.0\n" });
    expect((await ctl(stage, "-estatus")).stdout).toMatch(new RegExp(`running\\n1 wanted: .*\\npid ${pid}: `));
    expect(await ctl(stage, "-e", "bogus")).toMatchObject({ status: 0, stdout: "Missing or unhandled 'command'\n" });
  });

  scene("says that the master has gone without an answer, and exits with 255", async (stage) => {
    await recorder(stage, 2);
    const ended = await ctl(stage, "-e", "inc");
    expect(ended).toMatchObject({
      status: 255,
      stdout: "Communications error: the master closed the connection\n",
    });
  });
});

test.each([
  [["-d", "/no/such/socket", "-e", "inc"], 255, `Couldn't find control socket ("/no/such/socket")\n`],
  [["-d", "/etc/passwd", "-e", "inc"], 255, "Couldn't open socket [/etc/passwd]: "],
  [["--nonsense"], 255, "Unrecognized option: 'nonsense'\n"],
  [["inc"], 255, 'unexpected argument "inc"'],
  [["-h"], 0, "usage: einhyrningsinsctl "],
  [["--version"], 0, "einhyrningsinsctl 0.2.0 "],
])("einhyrningsinsctl %j ends with %d and says so on standard output", async (args, status, text) => {
  const bench = new Bench();
  const ended = await bench.run([EINHYRNINGSINSCTL, ...args]);
  await bench.clean();
  expect(ended).toMatchObject({ status, stderr: "" });
  expect(ended.stdout).toContain(text);
});

describe("the shell", () => {
  const typed = (stage: Stage, lines: string) =>
    stage.bench.run(["sh", "-c", `printf '${lines}' | "$@"`, "sh", EINHYRNINGSINSCTL, "-d", stage.socket]);

  scene("answers every line of its input in order, and ends at the end of the input", async (stage) => {
    const master = stage.master([], "v1");
    await workers(master, 1);
    const ended = await typed(stage, "version\\n\\n  signal CONT \\nbogus\\n");
    expect(ended.status).toBe(0);
    const answers = ["einhyrningsinsctl 0.2.0", "Signalled all children!", "Missing or unhandled 'command'"];
    const places = answers.map((answer) => ended.stdout.indexOf(answer));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(ended.stdout).toContain("> ");
    expect((await typed(stage, "quit\\nversion\\n")).stdout).not.toContain("0.2.0");
  });

  scene("has a prompt, a history and completion of commands on a terminal", async (stage) => {
    const master = stage.start(["-n", "1", "python3", WORKER, "v1"]);
    await workers(master, 1);
    const terminal = `import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
seen = b""
def until(text):
    global seen
    end = time.monotonic() + 30
    while text not in seen:
        if time.monotonic() > end: sys.exit("waited in vain for %r in %r" % (text, seen))
        if select.select([fd], [], [], 0.1)[0]: seen += os.read(fd, 65536)
    seen = seen[seen.index(text) + len(text):]
until(b"> ")
def press(keys, echo):
    os.write(fd, keys); until(echo)
press(b"vers", b"vers"); press(b"\\t", b"ion"); press(b"\\r", b"einhyrningsinsctl 0.2.0"); until(b"> ")
press(b"signal CO", b"signal CO"); press(b"\\t", b"NT"); press(b"\\r", b"Signalled all children!"); until(b"> ")
press(b"\\x1b[A", b"signal CONT"); press(b"\\x1b[A", b"version"); press(b"\\r", b"einhyrningsinsctl 0.2.0"); until(b"> ")
os.write(fd, b"\\x04")
print("ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
    const ended = await stage.bench.run(["python3", "-c", terminal, EINHYRNINGSINSCTL, "-d", stage.socket]);
    expect(ended).toMatchObject({ status: 0, stdout: "ended with 0\n", stderr: "" });
    await master.wrote("stdout", "got SIGCONT");
  });
});
