// einhyrningsins from the command line to the first worker: every option, what is refused, and what a worker gets.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { mountNamespaces } from "../../needs.ts";
import { Bench } from "../harness/bench.ts";
import { answerFrom, EINHYRNINGSINS, said, scene, WORKER, workers } from "../harness/einhyrningsins.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

describe("the command line of einhyrningsins", () => {
  test.each([
    ["no program", [], "Missing program to run (try --help)\n"],
    ["-4 with -6", ["-4", "-6", "true"], "Can't be both IPv4-only and IPv6-only\n"],
    [
      "an unknown letter behind -b",
      ["-b", "127.0.0.1:0,x", "true"],
      "Unknown socket arg 'x', I only know about 'n' and 'r'. Try --help\n",
    ],
    ["-n 0", ["-n", "0", "true"], '-n must be a whole number from 1 to 1000, not "0"\n'],
    ["-n x", ["-n", "x", "true"], '-n must be a whole number from 1 to 1000, not "x"\n'],
    ["-r x", ["-r", "x", "true"], '-r must be a whole number from 0 to 1000000, not "x"\n'],
    ["a port out of range", ["-b", "127.0.0.1:65536", "true"], "-b 127.0.0.1:65536: the port 65536 is not a number"],
    ["an address without a port", ["-b", "localhost", "true"], "-b localhost: must be ADDR:PORT"],
    [
      "a host that does not resolve",
      ["-b", "nobody.invalid:1", "true"],
      'the host "nobody.invalid" cannot be resolved',
    ],
    ["an IPv4 address with -6", ["-6", "-b", "127.0.0.1:0", "true"], "127.0.0.1 is not an IPv6 address"],
    ["an unknown option", ["--nonsense", "true"], "Unrecognized option: 'nonsense'\n"],
    ["an option without its value", ["-n"], "Argument to option 'n' missing\n"],
    ["an option twice", ["-n", "1", "-n", "2", "true"], "Option 'n' given more than once\n"],
    ["a value where none belongs", ["--manual=1", "true"], "Option 'manual' does not take an argument\n"],
  ])("with %s is answered with a sentence on standard output, and 255", async (_, args, sentence) => {
    const bench = new Bench();
    const ended = await bench.run([EINHYRNINGSINS, "-d", `${bench.directory}/control`, ...args]);
    await bench.clean();
    expect(ended).toMatchObject({ status: 255, stderr: "" });
    expect(ended.stdout).toContain(sentence);
  });

  scene("--help shows every option, --version the version", async (stage) => {
    const help = await stage.run("--help");
    expect(help.status).toBe(0);
    for (const option of ["-n,", "-b,", "-4,", "-6,", "-m,", "-r,", "-d,", "--drop-env-var", "-v,", "--syslog", "-h,"])
      expect(help.stdout).toContain(option);
    expect((await stage.run("-h")).stdout).toBe(help.stdout);
    expect((await stage.run("--version")).stdout).toMatch(/^einhyrningsins 0\.2\.0 /);
  });

  scene("ends at the first argument that is not an option: the rest is the program's", async (stage) => {
    const master = stage.start(["sh", "-c", 'echo "got $*"', "sh", "-n", "7", "--help"]);
    expect(await master.ended).toMatchObject({ status: 0, stdout: "got -n 7 --help\n" });
  });

  scene("takes options in clusters, with values after a space and after =, and ends at --", async (stage) => {
    const flags = ["-4vn2", "--retries=3", "--bind=127.0.0.1:0", "--"];
    const ended = await stage.start([...flags, "sh", "-c", "echo here; exit 1"]).ended;
    // Two workers, three attempts each.
    expect(ended).toMatchObject({ status: 0, stdout: "here\n".repeat(6) });
    expect(ended.stderr).toContain(" DEBG ");
    expect(ended.stderr).toContain("Listening on tcp4://127.0.0.1:");
  });
});

describe("the control socket", () => {
  scene("of another master is left alone: the second one is refused, and the first continues", async (stage) => {
    const master = stage.master([], "v1");
    await workers(master, 1);
    const second = await stage.start(["true"]).ended;
    expect(second.status).toBe(255);
    expect(second.stdout).toContain("another process is listening on this socket");
    expect(await stage.ctl("version")).toBe("einhyrningsinsctl 0.2.0");
  });

  scene("does not replace a file that is not a socket", async (stage) => {
    writeFileSync(stage.socket, "precious");
    const ended = await stage.start(["true"]).ended;
    expect(ended.status).toBe(255);
    expect(ended.stdout).toContain("the file is not a socket");
    expect(readFileSync(stage.socket, "utf8")).toBe("precious");
  });

  scene("that a dead master left is replaced, and none is left at the end", async (stage) => {
    await stage.bench.run(["python3", "-c", `import socket; socket.socket(socket.AF_UNIX).bind("${stage.socket}")`]);
    expect(existsSync(stage.socket)).toBe(true);
    const master = stage.master([], "v1");
    await workers(master, 1);
    master.signal("SIGINT");
    expect((await master.ended).status).toBe(0);
    expect(existsSync(stage.socket)).toBe(false);
  });
});

describe("a master that was killed", () => {
  scene("is followed by one that takes over its workers and their sockets", async (stage) => {
    const master = stage.master([], "v1");
    await stage.status(/1 healthy/);
    const [pid = 0] = [...(await stage.ctl("status")).matchAll(/^pid (\d+): healthy/gm)].map((match) =>
      Number(match[1]),
    );
    const answer = await answerFrom(master);
    master.signal("SIGKILL");
    await waitFor("the master's end", () => !isAlive(master.pid));
    const next = stage.master([], "v1");
    await said(next, "Adopted 1 of the 1 worker");
    expect(await stage.status(/1 healthy/)).toContain(`pid ${pid}: healthy`);
    expect(await answerFrom(master)).toBe(answer);
    next.signal("SIGTERM");
    expect((await next.ended).status).toBe(0);
    await waitFor("the worker's end", () => !isAlive(pid));
  });
});

describe("a worker", () => {
  scene("gets its sockets, their options, and the environment without the dropped variables", async (stage) => {
    const flags = ["-b", "127.0.0.1:0,r,n", "-b", "[::1]:0", "--drop-env-var", "TEST_GONE"];
    const master = stage.start([...flags, "python3", WORKER, "v1", "environment"], {
      env: { TEST_GONE: "1", TEST_KEPT: "2" },
    });
    await said(master, "socket 1");
    const environment = JSON.parse(/^\{.*\}$/m.exec(master.stdout())?.[0] ?? "{}");
    expect(environment).toMatchObject({
      EINHORN_FD_COUNT: "2",
      EINHORN_FD_0: "3",
      EINHORN_FD_1: "4",
      EINHORN_SOCK_PATH: stage.socket,
      TEST_KEPT: "2",
    });
    expect(environment.TEST_GONE).toBeUndefined();
    await master.wrote("stdout", "socket 0 127.0.0.1 False 1\n");
    await master.wrote("stdout", "socket 1 ::1 True 1\n");
  });

  scene("without -b gets no socket, and reads einhyrningsins' standard input", async (stage) => {
    const command = [EINHYRNINGSINS, "-d", stage.socket, "python3", WORKER, "v1", "environment", "input"];
    const master = stage.bench.start(["sh", "-c", 'echo from above | "$@"', "sh", ...command]);
    await said(master, "reads from above");
    await master.wrote("stdout", '"EINHORN_FD_COUNT": "0"');
  });

  scene("writes to einhyrningsins' own standard output and error", async (stage) => {
    const master = stage.start(["sh", "-c", "echo to the one; echo to the other >&2; sleep 600"]);
    await said(master, "to the other\n");
    await waitFor("the other one's own", () => master.stdout() === "to the one\n");
    await master.wrote("stderr", /^to the other$/m);
  });

  scene(
    "in Ruby acknowledges, serves and exits",
    async (stage) => {
      const ruby = `${WORKER.slice(0, -3)}.rb`;
      const master = stage.start(["-m", "-r", "20", "-b", "127.0.0.1:0", "ruby", ruby, "v1"]);
      await said(master, 'answered "Acknowledged!"');
      await stage.status(/1 healthy/);
      expect(await answerFrom(master)).toMatch(/^v1 \d+$/);
      master.signal("SIGUSR2");
      expect((await master.ended).status).toBe(0);
    },
    ["ruby"],
  );

  scene("that is a shell script exits by its trap", async (stage) => {
    const script = 'trap "echo bye; exit 0" USR2; echo hello; while :; do sleep 0.1; done';
    const master = stage.start(["sh", "-c", script]);
    await said(master, "hello");
    master.signal("SIGINT");
    expect(await master.ended).toMatchObject({ status: 0, stdout: "hello\nbye\n" });
  });
});

scene(
  "warnings and errors go to syslog with --syslog, and a syslogd that starts later or restarts gets them",
  async (stage) => {
    const log = stage.path("dev/log");
    // In a mount namespace of its own, whose /dev contains our socket.
    const script = `set -e; mkdir -p "$0"; for name in null zero urandom; do touch "$0/$name"; mount --bind /dev/$name "$0/$name"; done
mount --rbind "$0" /dev; exec "$@"`;
    const master = stage.bench.start([
      ...["unshare", "-m", "sh", "-c", script, stage.path("dev")],
      ...[EINHYRNINGSINS, "-d", stage.socket, "--syslog", "-r", "1", "-n", "2"],
      ...["sh", "-c", `echo $$ >> ${stage.path("pids")}; exec sleep 600`],
    ]);
    const pids = (): string[] =>
      existsSync(stage.path("pids")) ? readFileSync(stage.path("pids"), "utf8").trim().split("\n") : [];
    await waitFor("the workers", () => pids().length >= 2);
    const receive = `import os, socket, sys
try: os.unlink(sys.argv[1])
except FileNotFoundError: pass
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
print(s.recv(4096).decode(), flush=True)`;
    // No syslogd runs for the first warning; one runs for the second.
    process.kill(Number(pids()[0]), "SIGKILL");
    await waitFor("the first warning", () => master.stderr().includes("has no attempts left"));
    const receiver = stage.bench.start(["python3", "-c", receive, log]);
    await waitFor("the receiver", () => receiver.stdout().includes("bound"));
    process.kill(Number(pids()[1]), "SIGKILL");
    expect((await receiver.ended).stdout).toMatch(
      new RegExp(
        `\\n<28>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d einhyrningsins\\[${master.pid}\\]: Worker [12] .*failed`,
      ),
    );
    expect((await master.ended).status).toBe(0);
  },
  [mountNamespaces()],
);

test("an address in use is refused", async () => {
  const bench = new Bench();
  const server = createServer().listen(0, "127.0.0.1");
  const address = await new Promise<string>((resolve) =>
    server.on("listening", () => resolve(`127.0.0.1:${(server.address() as { port: number }).port}`)),
  );
  const ended = await bench.run([EINHYRNINGSINS, "-d", `${bench.directory}/control`, "-b", address, "true"]);
  server.close();
  expect(ended).toMatchObject({ status: 255, stderr: "" });
  expect(ended.stdout).toContain(`-b ${address}: address already in use`);
  expect(existsSync(`${bench.directory}/control`)).toBe(false);
  await bench.clean();
});
