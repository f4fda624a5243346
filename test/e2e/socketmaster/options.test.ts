// socketmaster: what its program gets, what it logs, and how it ends.
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountNamespaces, needing } from "../../needs.ts";
import { CRANKCTL, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";
import { ANY_PORT, childrenOf, LISTENER, Masters, pids, SOCKETMASTER, said } from "./socketmaster.ts";

const bench = eachTest(new Masters());

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
    expect(await bench.serving(master)).toStartWith("v1 ");
    await master.wrote("stderr", "worker v1 has 3");
  });

  test("has its lines logged with its pid, and socketmaster logs its own actions", async () => {
    const master = bench.master(ANY_PORT, "v1");
    const [pid] = await pids(master);
    const mark = `socketmaster\\[${master.pid}\\] \\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d `;
    await master.wrote("stderr", new RegExp(`^${mark}Listening on tcp://127.0.0.1:\\d+$`, "m"));
    await master.wrote("stderr", new RegExp(`^${mark}Starting python3 \\[python3 ${LISTENER} v1\\]$`, "m"));
    await master.wrote("stderr", new RegExp(`^${mark}\\[${pid}\\] worker v1 has 3$`, "m"));
    expect(master.stdout()).toBe("");
  });

  needing(mountNamespaces()).test("runs as the user of -user, with the user's own groups", async () => {
    const passwd = bench.path("passwd");
    const group = bench.path("group");
    writeFileSync(passwd, "root:x:0:0::/:/bin/sh\nalice:x:4711:4712::/:/bin/sh\n");
    writeFileSync(group, "root:x:0:\nalice:x:4712:\nchat:x:4713:bob,alice\nother:x:4714:bob\n");
    // In a mount namespace of its own, so that the machine's users do not change.
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

  test("is not started as a user that does not exist", async () => {
    const ended = await bench.master([...ANY_PORT, "-user", "nobody-of-that-name"], "v1").ended;
    expect(ended).toMatchObject({
      status: 1,
      stderr: "socketmaster: -user nobody-of-that-name: no such user\n",
    });
  });
});

describe("socketmaster", () => {
  test.each(["SIGINT", "SIGTERM", "SIGQUIT"] as const)(
    "passes %s on to all processes, and ends with the last one",
    async (signal) => {
      const master = bench.master([...ANY_PORT, "-start", "3600000"], "v1");
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

  test("ends when all its processes have ended, whatever their status", async () => {
    const ended = await bench.master(ANY_PORT, "v1", "dies").ended;
    expect(ended.status).toBe(0);
    expect(ended.stderr).toContain("exited with status 7");
  });

  test("continues after a signal that the processes survive", async () => {
    const master = bench.master([...ANY_PORT, "-start", "0"], "v1", "deaf");
    const [old = 0] = await pids(master);
    master.signal("SIGINT");
    await said(master, `[${old}] got SIGINT`);
    master.signal("SIGHUP");
    const [, next] = await pids(master, 2);
    await said(master, `[${old}] got SIGTERM`);
    expect([isAlive(old), next !== undefined && isAlive(next)]).toEqual([true, true]);
  });
});

needing(mountNamespaces()).test(
  "with -syslog the lines are datagrams at /dev/log, which may appear, go and come back",
  async () => {
    const dev = bench.path("dev");
    await bench.run(["sh", "-c", `mkdir ${dev} && cp -a /dev/null /dev/zero /dev/urandom ${dev}`]);
    const syslogd = async (): Promise<Running> => {
      const script = `import os, socket, sys
if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True: print(s.recv(9999).decode(), flush=True)`;
      const daemon = bench.start(["python3", "-c", script, join(dev, "log")]);
      await daemon.wrote("stdout", "bound");
      return daemon;
    };
    // In a mount namespace of its own, so that the machine's /dev does not change.
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
    await second.wrote("stdout", "worker v1 has 3");
    expect(master.stderr()).not.toContain("worker v1");
  },
);

test("crankctl works on the control socket of -ctl", async () => {
  const ctl = `unix://${bench.path("sm.ctl")}`;
  const master = bench.master([...ANY_PORT, "-start", "0", "-ctl", ctl], "v1");
  const [old] = await pids(master);
  const listed = await bench.run([CRANKCTL, "-ctl", ctl, "ps", "-json"]);
  expect(JSON.parse(listed.stdout)).toMatchObject([{ pid: old, state: "ready" }]);
  const deployed = await bench.run([CRANKCTL, "-ctl", ctl, "run", "-wait", "--", "python3", LISTENER, "v2"]);
  expect(deployed).toMatchObject({ status: 0 });
  await said(master, `[${old}] got SIGTERM`);
});
