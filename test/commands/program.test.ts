// A program's output and its exit status in unusual situations.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Desk } from "./harness/scripted-crank.ts";

const CRANKCTL = join(import.meta.dirname, "../../bin/crankctl");
const WORKER = { pid: 41, id: 7, generation: 3, state: "ready", cwd: "/", command: ["sh"], restarts: 0, uptime: 1 };

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

const run = async (command: readonly string[], env: Record<string, string> = {}) => {
  const child = Bun.spawn([...command], {
    cwd: desk.directory,
    env: { ...process.env, CRANK_PREFIX: desk.directory, CRANK_NAME: "web", TERM: "xterm", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { status: await child.exited, stdout, stderr };
};

/** Gives a program a non-blocking pipe, and reads it only when it is full. */
const SLOW_READER = `
import array, fcntl, os, subprocess, sys, termios, time
reading, writing = os.pipe()
os.set_blocking(writing, False)
child = subprocess.Popen(sys.argv[1:], stdout=writing)
waiting = array.array("i", [0])
end = time.monotonic() + 60
while waiting[0] < 60_000 and time.monotonic() < end:
    fcntl.ioctl(reading, termios.FIONREAD, waiting)
    time.sleep(0.01)
os.close(writing)
count = 0
while part := os.read(reading, 4096):
    count += part.count(b"\\n")
print(child.wait(), count)
`;

describe("output", () => {
  test("is complete on a full non-blocking pipe", async () => {
    desk.serve("web", (_, reply) => reply.result(Array.from({ length: 20_000 }, () => WORKER)));
    const ended = await run(["python3", "-c", SLOW_READER, CRANKCTL, "ps"]);
    expect(ended).toEqual({ status: 0, stdout: "0 20000\n", stderr: "" });
  });

  test("that cannot be written is an error, and a closed unused output is not", async () => {
    desk.serve("web", (_, reply) => reply.result([WORKER]));
    const ended = (words: string) => run(["sh", "-c", `${CRANKCTL} ${words}`]);
    const closed = "cannot write the output: standard output is closed\n";
    expect(await ended("ps >&-")).toEqual({ status: 1, stdout: "", stderr: `crankctl ps: ${closed}` });
    expect(await ended("-version >&-")).toEqual({ status: 1, stdout: "", stderr: `crankctl: ${closed}` });
    expect(await ended("ps >&- 2>&- <&-")).toEqual({ status: 1, stdout: "", stderr: "" });
    expect(await ended("-version >/dev/full")).toEqual({
      status: 1,
      stdout: "",
      stderr: "crankctl: cannot write the output: ENOSPC\n",
    });
    for (const other of ["2>&-", "<&-"])
      expect(await ended(`ps ${other}`)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining("41"),
        stderr: "",
      });
    expect(await ended("no-such-command 2>&-")).toMatchObject({ status: 2, stdout: "", stderr: "" });
  });
});

describe("a program with a fatal error", () => {
  test("reports the error, and its position only with CRANK_DEBUG", async () => {
    desk.serve("web", (_, reply) => reply.notify("progress", null));
    const shell = ["script", "-qec", `${CRANKCTL} run -wait`, "/dev/null"];
    const { status, stdout } = await run(shell);
    expect(status).toBe(70);
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(
      /crankctl: unexpected answer or fault: .*; set CRANK_DEBUG=1 to see where$/,
    );
    expect((await run(shell, { CRANK_DEBUG: "1" })).stdout).toMatch(/\n +at /);
  });

  test("reports that its directory was removed", async () => {
    const there = (words: string) =>
      run(["sh", "-c", `mkdir gone && cd gone && rmdir "$PWD" && exec ${CRANKCTL} ${words}`]);
    expect(await there("upgrade -exec crank")).toEqual({
      status: 1,
      stdout: "",
      stderr: "crankctl: the working directory does not exist any more: change to another one and retry\n",
    });
    expect(await there("run -- true")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("working directory: it was removed"),
    });
  });
});
