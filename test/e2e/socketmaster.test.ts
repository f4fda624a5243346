import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { compiled } from "./harness/apps.ts";
import { changeKeeper, install } from "./harness/installation.ts";
import { Load } from "./harness/load.ts";
import { Bench, CRANKCTL, isAlive, portOf, ROOT, type Running, waitFor } from "./harness/service.ts";

const SOCKETMASTER = join(ROOT, "bin/socketmaster");
const LISTENER = join(ROOT, "test/apps/listener.py");
const RESPONDER = join(ROOT, "test/apps/responder.py");
const ANY_PORT = ["-listen", "tcp://127.0.0.1:0"];

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const start = (flags: readonly string[], ...words: readonly string[]): Running =>
  bench.start([SOCKETMASTER, "-command", "python3", ...flags, "--", LISTENER, ...words]);

/** Waits until so many processes have started, and gives their pids in order. */
const pids = (master: Running, count = 1): Promise<number[]> =>
  waitFor(`${count} processes`, () => {
    const found = [...master.stderr().matchAll(/\[(\d+)\] worker /g)].map((match) => Number(match[1]));
    return found.length >= count && found;
  });

const said = (master: Running, what: string): Promise<true> =>
  waitFor(what, () => master.stderr().includes(what) || null);

const CLIENT = `import socket, sys
where = sys.argv[1]
s = socket.create_connection(("127.0.0.1", int(where))) if where.isdigit() else socket.socket(socket.AF_UNIX)
if not where.isdigit(): s.connect(where)
print(s.makefile().read())`;

const answerFrom = async (where: number | string): Promise<string> =>
  (await bench.run(["python3", "-c", CLIENT, String(where)])).stdout.trim();

const serving = async (master: Running): Promise<string> => {
  await pids(master);
  return answerFrom(portOf(master));
};

/** The pids of the programs that socketmaster has started and that still run. */
const childrenOf = (master: Running): string[] =>
  readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter((pid) => commandOf(pid).includes(LISTENER) && !commandOf(pid).includes("\0-command\0"));

const commandOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
};

describe("the program that socketmaster starts", () => {
  test("gets the socket as descriptor 3, EINHORN_FDS, its arguments and socketmaster's standard input", async () => {
    const master = bench.start([
      "sh",
      "-c",
      `echo from above | "$@"`,
      "sh",
      SOCKETMASTER,
      "-command",
      "python3",
      ...ANY_PORT,
      "--",
      LISTENER,
      "v1",
      "input",
    ]);
    await said(master, "reads from above");
    expect(await serving(master)).toStartWith("v1 ");
    expect(master.stderr()).toContain("worker v1 has 3");
  });

  test("has its lines logged behind its pid, and socketmaster's own say what happens", async () => {
    const master = start(ANY_PORT, "v1");
    const [pid] = await pids(master);
    const mark = `socketmaster\\[${master.pid}\\] \\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d `;
    expect(master.stderr()).toMatch(new RegExp(`^${mark}Listening on tcp://127.0.0.1:\\d+$`, "m"));
    expect(master.stderr()).toMatch(new RegExp(`^${mark}Starting python3 \\[python3 ${LISTENER} v1\\]$`, "m"));
    expect(master.stderr()).toMatch(new RegExp(`^${mark}\\[${pid}\\] worker v1 has 3$`, "m"));
    expect(master.stdout()).toBe("");
  });

  test("runs as the user of -user, with the user's own groups", async () => {
    const passwd = join(bench.directory, "passwd");
    const group = join(bench.directory, "group");
    writeFileSync(passwd, "root:x:0:0::/:/bin/sh\nalice:x:4711:4712::/:/bin/sh\n");
    writeFileSync(group, "root:x:0:\nalice:x:4712:\nchat:x:4713:bob,alice\nother:x:4714:bob\n");
    // In a mount namespace of its own, so that the machine's users stay what they are.
    const script = `mount --bind ${passwd} /etc/passwd && mount --bind ${group} /etc/group && exec "$@"`;
    const master = bench.start([
      "unshare",
      "-m",
      "sh",
      "-c",
      script,
      "sh",
      SOCKETMASTER,
      ...ANY_PORT,
      "-user",
      "alice",
      "-command",
      "id",
    ]);
    expect((await master.ended).stderr).toContain("uid=4711(alice) gid=4712(alice) groups=4712(alice),4713(chat)");
  });

  test("is not started as a user that there is not", async () => {
    const ended = await start([...ANY_PORT, "-user", "nobody-of-that-name"], "v1").ended;
    expect(ended).toMatchObject({
      status: 1,
      stderr: "socketmaster: -user nobody-of-that-name: there is no such user\n",
    });
  });
});

describe("SIGHUP", () => {
  test("starts another process, and tells the first to go when the second has lived for -start", async () => {
    const master = start([...ANY_PORT, "-start", "300"], "v1");
    const [old = 0] = await pids(master);
    await waitFor("the first to have lived", () => serving(master));
    master.signal("SIGHUP");
    const [, next] = await pids(master, 2);
    await said(master, `[${old}] got SIGTERM`);
    await waitFor("the old one to be gone", () => !isAlive(old));
    expect(await serving(master)).toBe(`v1 ${next}`);
  });

  test("with -start 0 does not wait", async () => {
    const master = start([...ANY_PORT, "-start", "0"], "v1");
    const [old = 0] = await pids(master);
    master.signal("SIGHUP");
    await waitFor("the old one to be gone", () => !isAlive(old));
    const [, next] = await pids(master, 2);
    expect(await serving(master)).toBe(`v1 ${next}`);
  });

  test("does not wait for a process that says READY=1", async () => {
    const master = bench.start([
      SOCKETMASTER,
      ...ANY_PORT,
      "-start",
      "3600000",
      "-command",
      "python3",
      "--",
      RESPONDER,
      "v1",
    ]);
    await said(master, "worker v1 serves");
    master.signal("SIGHUP");
    await said(master, "Sending SIGTERM to");
  });

  test("signals nobody when the new process dies, even while an older one still drains", async () => {
    const flag = join(bench.directory, "broken");
    const wrapper = join(bench.directory, "wrapper");
    writeFileSync(wrapper, `#!/bin/sh\n[ -e ${flag} ] && exit 7\nexec python3 ${LISTENER} v1 deaf\n`, { mode: 0o755 });
    const master = bench.start([SOCKETMASTER, ...ANY_PORT, "-start", "200", "-command", wrapper]);
    const [oldest = 0] = await pids(master);
    master.signal("SIGHUP");
    await said(master, `[${oldest}] got SIGTERM`);
    const [, serves = 0] = await pids(master, 2);
    writeFileSync(flag, "");
    master.signal("SIGHUP");
    await said(master, "nobody is signalled");
    expect(master.stderr()).not.toContain(`[${serves}] got SIGTERM`);
    expect(master.stderr().split(`[${oldest}] got SIGTERM`)).toHaveLength(2);
    expect([isAlive(oldest), isAlive(serves)]).toEqual([true, true]);
  });

  test("again and again in the middle of a replacement is one more replacement", async () => {
    const gate = join(bench.directory, "gate");
    writeFileSync(gate, "");
    const flags = [...ANY_PORT, "-start", "3600000", "-command", "python3", "--", RESPONDER, "v1", "held"];
    const master = bench.start([SOCKETMASTER, ...flags], { env: { HOLD: gate } });
    const count = (what: string): number => master.stderr().split(what).length - 1;
    await waitFor("the first", () => count("worker v1 serves") === 1);
    rmSync(gate);
    master.signal("SIGHUP");
    await waitFor("the second's start", () => count("Starting python3") === 2);
    for (let time = 0; time < 5; time++) master.signal("SIGHUP");
    writeFileSync(gate, "");
    await waitFor("the second to be told to go by a third", () => count("Sending SIGTERM") === 2);
    expect(await answerFrom(portOf(master))).toStartWith("v1 ");
    expect([count("Starting python3"), count("worker v1 serves")]).toEqual([3, 3]);
  });

  test("whose program cannot be started says so, and the end is as before", async () => {
    const program = join(bench.directory, "program");
    writeFileSync(program, `#!/bin/sh\nexec python3 ${LISTENER} v1\n`, { mode: 0o755 });
    const master = bench.start([SOCKETMASTER, ...ANY_PORT, "-start", "0", "-command", program]);
    await pids(master);
    writeFileSync(program, "");
    await bench.run(["rm", program]);
    master.signal("SIGHUP");
    await said(master, "Could not start new process: exec: no such file or directory");
    expect(await serving(master)).toStartWith("v1 ");
    master.signal("SIGTERM");
    expect(await master.ended).toMatchObject({ status: 0 });
  });
});

describe("SIGUSR1", () => {
  test("replaces socketmaster under the same pid; its socket, its processes and their output stay", async () => {
    const home = join(bench.directory, "home");
    const crank = install(home);
    const words = ["-command", "python3", ...ANY_PORT, "-start", "100", "--", LISTENER, "v1"];
    const master = bench.start([join(home, "bin/socketmaster"), ...words]);
    const answer = await serving(master);
    const children = childrenOf(master);
    changeKeeper(crank);
    master.signal("SIGUSR1");
    await said(master, "Upgraded from");
    expect(readFileSync(`/proc/${master.pid}/exe`).equals(readFileSync(crank))).toBe(true);
    expect(childrenOf(master)).toEqual(children);
    expect(await answerFrom(portOf(master))).toBe(answer);
    master.signal("SIGHUP");
    await pids(master, 2);
    await waitFor("the end of the first one", () => childrenOf(master).length === 1);
    expect(childrenOf(master)).not.toEqual(children);
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
  });

  test("with a new program that cannot take over leaves everything as it is, and says why", async () => {
    const home = join(bench.directory, "home");
    install(home);
    const words = ["-command", "python3", ...ANY_PORT, "--", LISTENER, "v1"];
    const master = bench.start([join(home, "bin/socketmaster"), ...words]);
    const answer = await serving(master);
    rmSync(join(home, "bin/socketmaster"));
    master.signal("SIGUSR1");
    await said(master, "socketmaster: there is no such file");
    expect(await answerFrom(portOf(master))).toBe(answer);
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
  });
});

describe("the end", () => {
  test.each(["SIGINT", "SIGTERM", "SIGQUIT"] as const)(
    "%s is passed on to all, and with the last one socketmaster ends",
    async (signal) => {
      const master = start([...ANY_PORT, "-start", "3600000"], "v1");
      const [first] = await pids(master);
      master.signal("SIGHUP");
      const held = await bench.run(["true"]);
      expect(held.status).toBe(0);
      master.signal(signal);
      const ended = await master.ended;
      expect(ended.status).toBe(0);
      expect(ended.stderr).toContain(`[${first}] got ${signal}`);
    },
  );

  test("comes with the end of all processes, whatever their status", async () => {
    const ended = await start(ANY_PORT, "v1", "dies").ended;
    expect(ended.status).toBe(0);
    expect(ended.stderr).toContain("exited with status 7");
  });

  test("is not brought about by a signal that the processes outlive", async () => {
    const master = start([...ANY_PORT, "-start", "0"], "v1", "deaf");
    const [old = 0] = await pids(master);
    master.signal("SIGINT");
    await said(master, `[${old}] got SIGINT`);
    master.signal("SIGHUP");
    const [, next] = await pids(master, 2);
    await said(master, `[${old}] got SIGTERM`);
    expect([isAlive(old), next !== undefined && isAlive(next)]).toEqual([true, true]);
  });
});

describe("-listen", () => {
  test.each(["tcp", "tcp4"])("%s:// listens", async (scheme) => {
    expect(await serving(start(["-listen", `${scheme}://127.0.0.1:0`], "v1"))).toStartWith("v1 ");
  });

  test("tcp6:// listens", async () => {
    const master = start(["-listen", "tcp6://[::1]:0"], "v1");
    await pids(master);
    expect(master.stderr()).toContain("Listening on tcp6://[::1]:");
  });

  test("unix:// listens, takes the place of a file that a dead one left, and leaves none itself", async () => {
    const path = join(bench.directory, "app.sock");
    const left = createServer().listen(path);
    await waitFor("the socket", () => existsSync(path));
    const second = await start(["-listen", `unix://${path}`], "v1").ended;
    expect(second).toMatchObject({ status: 1 });
    expect(second.stderr).toContain("another process is listening on this socket");
    left.close();
    await bench.run(["python3", "-c", `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(path)})`]);
    expect(existsSync(path)).toBe(true);
    const master = start(["-listen", `unix://${path}`], "v1");
    await pids(master);
    expect(await answerFrom(path)).toStartWith("v1 ");
    master.signal("SIGTERM");
    await master.ended;
    expect(existsSync(path)).toBe(false);
  });

  test("fd:// takes a socket that it was started with", async () => {
    const script = `import os, socket, sys
s = socket.create_server(("127.0.0.1", 0)); os.dup2(s.fileno(), 9); print(s.getsockname()[1], flush=True)
os.execv(sys.argv[1], sys.argv[1:])`;
    const master = bench.start([
      "python3",
      "-c",
      script,
      SOCKETMASTER,
      "-listen",
      "fd://9",
      "-command",
      "python3",
      "--",
      LISTENER,
      "v1",
    ]);
    await pids(master);
    expect(await answerFrom(Number(master.stdout()))).toStartWith("v1 ");
  });

  test.each([
    [["-listen", ":8080"], "the scheme is missing"],
    [["-listen", "udp://:8080"], "the scheme is not known"],
    [["-listen", "http://:8080"], "the scheme http is not known"],
    [["-listen", "tcp://:70000"], "70000"],
    [["-listen", "tcp://no.such.host.invalid:80"], "no.such.host.invalid"],
    [["-listen", "fd://256"], "from 0 to 255"],
    [["-listen", "fd://77"], "start it with this descriptor open"],
  ] as const)("that cannot be is one sentence and status 1: %p", async (flags, words) => {
    const ended = await start(flags, "v1").ended;
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(words);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
  });
});

describe("the command line", () => {
  test("without a -command is an error", async () => {
    expect(await bench.run([SOCKETMASTER])).toMatchObject({
      status: 1,
      stderr: "socketmaster: -command is missing: the program to start\n",
    });
  });

  test("with a program that does not exist is an error", async () => {
    const ended = await bench.run([SOCKETMASTER, ...ANY_PORT, "-command", "no-such-program"]);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("Could not start new process: exec: no such file or directory");
  });

  test.each([[["-start", "soon"]], [["-start", "-1"]], [["-colour"]], [["-listen"]]])(
    "%p is wrong usage",
    async (flags) => {
      const ended = await bench.run([SOCKETMASTER, ...flags]);
      expect(ended.status).toBe(2);
      expect(ended.stderr).toContain("Try 'socketmaster -help'");
    },
  );

  test("takes two dashes as well, and = before a value", async () => {
    const master = bench.start([
      SOCKETMASTER,
      "--listen=tcp://127.0.0.1:0",
      "--command=python3",
      "--start=0",
      "--",
      LISTENER,
      "v1",
    ]);
    expect(await serving(master)).toStartWith("v1 ");
  });

  test("-help and -version print and end", async () => {
    expect((await bench.run([SOCKETMASTER, "-help"])).stdout).toContain("-command PATH");
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(await bench.run([SOCKETMASTER, "-version"])).toMatchObject({ status: 0, stdout: `${version}\n` });
  });
});

test("with -syslog the lines are datagrams at /dev/log, which may come, go and come back", async () => {
  const dev = join(bench.directory, "dev");
  await bench.run(["sh", "-c", `mkdir ${dev} && cp -a /dev/null /dev/zero /dev/urandom ${dev}`]);
  const syslogd = async (): Promise<Running> => {
    const script = `import os, socket, sys
if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True: print(s.recv(9999).decode(), flush=True)`;
    const daemon = bench.start(["python3", "-c", script, join(dev, "log")]);
    await waitFor("syslogd", () => daemon.stdout().includes("bound"));
    return daemon;
  };
  // In a mount namespace of its own, so that the machine's /dev stays what it is.
  const script = `mount --bind ${dev} /dev && exec "$@"`;
  const command = [SOCKETMASTER, ...ANY_PORT, "-syslog", "-start", "0", "-command", "python3", "--", LISTENER, "v1"];
  const first = await syslogd();
  const master = bench.start(["unshare", "-m", "sh", "-c", script, "sh", ...command]);
  const mark = `^<30>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d socketmaster\\[${master.pid}\\]: `;
  await waitFor("its own line", () => new RegExp(`${mark}Listening on tcp://`, "m").test(first.stdout()));
  await waitFor("a line of the program", () =>
    new RegExp(`${mark}\\[\\d+\\] worker v1 has 3$`, "m").test(first.stdout()),
  );
  first.signal("SIGKILL");
  await first.ended;
  master.signal("SIGHUP");
  const replaced = () => childrenOf(master).some((pid) => !first.stdout().includes(`[${pid}]`));
  await waitFor("the replacement without a syslogd", replaced);
  const second = await syslogd();
  master.signal("SIGHUP");
  await waitFor("a line at the new syslogd", () => second.stdout().includes("worker v1 has 3"));
  expect(master.stderr()).not.toContain("worker v1");
});

test("crankctl works on the control socket of -ctl", async () => {
  const ctl = `unix://${join(bench.directory, "sm.ctl")}`;
  const master = start([...ANY_PORT, "-start", "0", "-ctl", ctl], "v1");
  const [old] = await pids(master);
  const listed = await bench.run([CRANKCTL, "-ctl", ctl, "ps", "-json"]);
  expect(JSON.parse(listed.stdout)).toMatchObject([{ pid: old, state: "ready" }]);
  const deployed = await bench.run([CRANKCTL, "-ctl", ctl, "run", "-wait", "--", "python3", LISTENER, "v2"]);
  expect(deployed).toMatchObject({ status: 0 });
  await said(master, `[${old}] got SIGTERM`);
});

test("replacements under load refuse and reset nobody", async () => {
  const master = bench.start([
    SOCKETMASTER,
    ...ANY_PORT,
    "-start",
    "50",
    "-command",
    compiled("worker"),
    "--",
    "-drain",
    "300",
    "v1",
  ]);
  await waitFor("the socket", () => master.stderr().includes("Listening on"));
  const load = new Load({ port: portOf(master), anew: 50, pauseMs: 20, stays: 200, talkMs: 500 });
  await waitFor("the clients that stay", () => load.staying === 200);
  for (let replaced = 1; replaced <= 15; replaced++) {
    master.signal("SIGHUP");
    await waitFor(`replacement ${replaced}`, () => master.stderr().split("Sending SIGTERM to").length > replaced);
  }
  await waitFor("the clients to be back", () => load.staying === 200);
  const counts = await load.stop();
  expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  expect(counts.drained).toBeGreaterThan(0);
}, 120_000);
