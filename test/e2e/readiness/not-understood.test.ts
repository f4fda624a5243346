// Messages of a worker that crank does not understand are reported once, and einhorn's own acknowledgement is understood.
import { describe, expect, test } from "bun:test";
import type { Ended, Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

const web = eachTest(new Service());

const PRELUDE = `import os, signal, socket
notify = int(os.environ["NOTIFY_FD"])
def control(line):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.environ["EINHORN_SOCK_PATH"])
        s.sendall(line + b"\\n")
        s.recv(4096)
`;
/** Deploys a worker that does these things before it reports that it is ready, in each of two places. */
const run = (lines: string, ...flags: string[]): Promise<Ended> =>
  web.ctl(
    ...["run", "-wait", "-instances", "2", ...flags, "--", "python3", "-c"],
    `${PRELUDE}${lines}\nos.write(notify, b"READY=1")\nsignal.pause()`,
  );
const DONE = { status: 0 };
const told = (crank: Running): readonly string[] =>
  crank
    .stderr()
    .split("\n")
    .filter((line) => line.includes("which crank does not know"));

describe("on its notify socket", () => {
  test.each([
    ["an unknown word", 'b"REDY=1"', '"REDY=1"'],
    ["a value that the word cannot have", 'b"READY=yes"', '"READY=yes"'],
    ["no assignment at all", 'b"ready\\n"', '"ready"'],
    ["what would move a cursor", 'b"\\x1b[2Jboo=1"', "boo=1"],
  ])("%s is reported once for a generation", async (_what, bytes, quoted) => {
    const crank = await web.start();
    expect(await run(`os.write(notify, ${bytes})`)).toMatchObject(DONE);
    await crank.wrote(
      "stderr",
      /WARNING: Worker \d \(pid \d+\) sent .* on its notify socket, which crank does not know/,
    );
    expect(told(crank)).toEqual([expect.stringContaining(quoted)]);
    expect(crank.stderr()).not.toContain("\u001b");
    await run(`os.write(notify, ${bytes})`);
    await crank.wrote("stderr", "Rolled out generation 2");
    expect(told(crank)).toHaveLength(2);
  });

  test("what systemd knows, and what is private, is not reported", async () => {
    const crank = await web.start();
    await run('os.write(notify, b"MONOTONIC_USEC=1\\nX_MINE=2\\nSTATUS=busy\\n")');
    await crank.wrote("stderr", "Rolled out generation 1");
    expect(told(crank)).toEqual([]);
  });
});

describe("on the control socket", () => {
  test("a line that is not a request is reported once for a generation", async () => {
    const crank = await web.start();
    await run('control(b"i am ready")');
    await crank.wrote("stderr", /sent "i am ready" on the control socket, which crank does not know; ignored/);
    expect(told(crank)).toHaveLength(1);
  });

  test("an acknowledgement for a pid that no worker has is reported", async () => {
    const crank = await web.start();
    await run('control(b\'{"command":"worker:ack","pid":1}\')');
    await crank.wrote("stderr", /sent "\{\\"command\\":\\"worker:ack\\",\\"pid\\":1\}" on the control socket/);
  });

  test("the line of einhorn's gem, a YAML document, makes a worker ready with -ready ack", async () => {
    const crank = await web.start();
    const program = `${PRELUDE}control(b"---%0Acommand: worker:ack%0Apid: " + str(os.getpid()).encode() + b"%0A")
signal.pause()`;
    const ended = await web.run("-ready", "ack", "--", "python3", "-c", program);
    expect(ended).toMatchObject(DONE);
    expect(told(crank)).toEqual([]);
  });
});
