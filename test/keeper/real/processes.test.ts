// The processes that a real keeper starts, their messages to it, and its re-exec.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { connect } from "node:net";
import { COMMANDS, NO_LIMIT, SPAWN_FLAGS } from "../../../src/keeper/protocol.ts";
import { SOCK_STREAM } from "../../../src/supervisor/os/sockaddr.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { bytesOf, DrivenKeeper, openTcp, openUnix, sh, textOf, until } from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

/** The fields of proc_pid_stat(5) after the name; the first is the state. */
const statOf = (pid: number | "self"): string[] =>
  readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");

/** The nice value that these tests start a keeper with. */
const ownNice = (): number => Number(statOf("self")[16]);

describe("a spawn", () => {
  needing(ROOT_USER).test("gives the process exactly what was requested", async () => {
    chmodSync(keeper.directory, 0o711);
    await keeper.start({ env: { BASE: "1", GONE: "1" } });
    keeper.commit([
      openTcp(1, "127.0.0.1"),
      plainSpawn(1, ["/bin/sleep", "600"], {
        args: ["renamed", "600"],
        cwd: keeper.directory,
        env: [["A", "b=c"]],
        unset: ["GONE"],
        ownPid: ["LISTEN_PID"],
        descriptors: [1, 9, 1, 3],
        identity: [65534, 65534, 7, 8],
        umask: 0o027,
        limits: [7, 99, 99, 4, 0, NO_LIMIT],
        nice: 5,
        oomScore: 321,
      }),
    ]);
    await keeper.event("opened");
    const { pid, startTime } = await keeper.event("spawned");
    const proc = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
    const environment = proc("environ").split("\0");
    expect(environment).toContain("A=b=c");
    expect(environment).toContain("BASE=1");
    expect(environment).toContain(`LISTEN_PID=${pid}`);
    expect(environment.some((pair) => pair.startsWith("GONE="))).toBe(false);
    expect(proc("cmdline")).toBe("renamed\x00600\0");
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(keeper.directory);
    const status = proc("status");
    expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    expect(status).toMatch(/^Groups:\t7 8 ?$/m);
    expect(status).toMatch(/^Umask:\t0027$/m);
    expect(status).toMatch(/^SigBlk:\t0+$/m);
    expect(status).toMatch(/^SigIgn:\t0+$/m);
    expect(proc("limits")).toMatch(/^Max open files\s+99\s+99/m);
    expect(proc("limits")).toMatch(/^Max core file size\s+0\s+unlimited/m);
    expect(proc("oom_score_adj").trim()).toBe("321");
    const stat = statOf(pid);
    expect([stat[2], stat[16], stat[19]]).toEqual([String(pid), String(ownNice() + 5), String(startTime)]);
    // While it starts, the program has its libraries open.
    await until("its descriptors", () => readdirSync(`/proc/${pid}/fd`).sort().join(" ") === "0 1 2 3 9");
    expect(readlinkSync(`/proc/${pid}/fd/0`)).toBe("/dev/null");
    expect(readlinkSync(`/proc/${pid}/fd/3`)).toBe(readlinkSync(`/proc/${pid}/fd/9`));
  });

  test.each([
    ["chdir", { cwd: "/no/such/directory" }, 2],
    ["exec", { file: "/no/such/program" }, 2],
    ["exec", { file: "/etc/passwd" }, 13],
    ["limit", { limits: [7, 10, 5] }, 22],
  ] as const)("that fails at %s with %j says so, and no exit follows", async (step, change, errno) => {
    await keeper.start();
    keeper.commit([plainSpawn(1, ["/bin/true"], change), { kind: "barrier", token: 1 }]);
    expect(await keeper.eventually("spawnFailed")).toMatchObject({ worker: 1, step, errno });
  });

  needing(ROOT_USER).test("connects the process to a socket with its own credentials", async () => {
    await keeper.start();
    const path = keeper.path("control");
    keeper.commit([openUnix(1, path, SOCK_STREAM, 0o666), { kind: "acceptOn", handle: 1 }]);
    await keeper.event("opened");
    // 3 is the socket's number before it is moved to its target.
    const spawns = [3, 9].map((connectFd) =>
      plainSpawn(connectFd, sh(`echo said >&${connectFd}; exec sleep 600`), {
        connectFd,
        connectPath: path,
        identity: [65534, 65533],
      }),
    );
    chmodSync(keeper.directory, 0o711);
    keeper.commit(spawns);
    const [first, second] = [await keeper.eventually("line"), await keeper.eventually("line")];
    for (const line of [first, second]) {
      expect(line).toMatchObject({ listener: 1, uid: 65534, gid: 65533 });
      expect(textOf(line.bytes)).toBe("said");
      // During its execve, a program has no arguments.
      const command = (): string => readFileSync(`/proc/${line.pid}/cmdline`, "utf8");
      await until("its program", () => command().includes("sleep"));
    }
    expect(first.pid).not.toBe(second.pid);
  });

  needing(ROOT_USER).test(
    "that waits in a step holds nothing of the keeper's and cannot be inspected by others",
    async () => {
      await keeper.start();
      const path = keeper.path("full");
      keeper.commit([{ ...openUnix(1, path, SOCK_STREAM, 0o666), backlog: 1 }, openTcp(2, "127.0.0.1")]);
      await keeper.eventually("opened");
      const clients = [connect(path), connect(path)];
      await Promise.all(clients.map((client) => once(client, "connect")));
      chmodSync(keeper.directory, 0o711);
      keeper.commit([
        plainSpawn(1, ["/bin/true"], {
          connectFd: 5,
          connectPath: path,
          identity: [65534, 65534],
          descriptors: [2, 3],
        }),
      ]);
      const children = (): string[] =>
        readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, "utf8").trim().split(" ");
      const is = (pid: string): boolean => /^Uid:\t65534/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
      const pid = await until("the process that waits", () => children().find(is));
      // The keeper's epoll, timer, signal and event descriptors, and the socket that the process connects.
      const held = (of: string | number): string[] =>
        readdirSync(`/proc/${of}/fd`).map((fd) => readlinkSync(`/proc/${of}/fd/${fd}`));
      expect(held(keeper.pid).filter((name) => name.startsWith("anon_inode:")).length).toBeGreaterThan(3);
      expect(held(pid).filter((name) => name.startsWith("anon_inode:"))).toEqual([]);
      for (const file of ["mem", "environ", "maps"]) expect(statSync(`/proc/${pid}/${file}`).uid).toBe(0);
      expect(Bun.spawnSync(["head", "-c1", `/proc/${pid}/environ`], { uid: 65534, gid: 65534 }).exitCode).not.toBe(0);
      keeper.commit([{ kind: "signal", worker: 1, signal: 9, group: 0 }]);
      expect(await keeper.eventually("spawnFailed")).toMatchObject({ worker: 1, step: "start" });
      for (const client of clients) client.destroy();
    },
  );

  test("sets an absolute nice level, whatever the keeper's is", async () => {
    await keeper.start({ wrapper: ["nice", "-n", "3"] });
    keeper.commit([
      plainSpawn(1, ["/bin/sleep", "600"], { nice: 17, flags: SPAWN_FLAGS.niceLevel }),
      plainSpawn(2, ["/bin/sleep", "600"], { nice: 2 }),
    ]);
    const levels = new Map<number, string | undefined>();
    for (let count = 0; count < 2; count++) {
      const { worker, pid } = await keeper.event("spawned");
      levels.set(worker, statOf(pid)[16]);
    }
    expect([levels.get(1), levels.get(2)]).toEqual(["17", String(Math.min(19, ownNice() + 5))]);
  });

  test("ends a helper's remaining processes with it, and leaves those of a worker to the supervisor", async () => {
    await keeper.start();
    const script = (name: string): string => `setsid sleep 600 & echo $! > ${keeper.path(name)}; exit 3`;
    keeper.commit([plainSpawn(1, sh(script("ended")), { flags: SPAWN_FLAGS.group | SPAWN_FLAGS.helper })]);
    expect(await keeper.eventually("exited")).toMatchObject({ worker: 1, ending: 0, status: 3 });
    keeper.commit([plainSpawn(2, sh(script("left")))]);
    expect(await keeper.eventually("mainExited")).toMatchObject({ worker: 2, ending: 0, status: 3, rest: 1 });
    const [ended, left] = ["ended", "left"].map((name) => readFileSync(keeper.path(name), "utf8").trim());
    await until("the helper's to be gone", () => !existsSync(`/proc/${ended}`));
    expect(existsSync(`/proc/${left}`)).toBe(true);
    keeper.commit([{ kind: "signal", worker: 2, signal: 15, group: 0 }]);
    expect(await keeper.event("exited")).toMatchObject({ worker: 2, ending: 0, status: 3 });
  });

  test("can be signalled, alone or with its group, and a signal after its exit is no failure", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, ["/bin/sleep", "600"])]);
    await keeper.event("spawned");
    keeper.commit([{ kind: "signal", worker: 1, signal: 10, group: 0 }]);
    expect(await keeper.event("exited")).toMatchObject({ worker: 1, ending: 1, status: 10 });
    keeper.commit([
      { kind: "signal", worker: 1, signal: 15, group: 1 },
      { kind: "barrier", token: 1 },
    ]);
    expect(await keeper.event("reached")).toMatchObject({ token: 1 });
  });
});

describe("the title", () => {
  test("replaces the arguments, is cut to fit, and survives a re-exec", async () => {
    await keeper.start({ args: ["-a", "b"], env: { BASE: "1" } });
    const shown = (): string => readFileSync(`/proc/${keeper.pid}/cmdline`, "utf8");
    keeper.commit([
      { kind: "setTitle", title: "crank: short" },
      plainSpawn(1, sh('[ "$BASE" = 1 ] && exec sleep 600')),
    ]);
    await keeper.event("spawned");
    expect(shown().split("\0")[0]).toBe("crank: short");
    keeper.commit([{ kind: "execute", path: readlinkSync(`/proc/${keeper.pid}/exe`) }]);
    expect((await keeper.nextLife())[0]).toMatchObject({ kind: "hello", executions: 1, args: ["-a", "b"] });
    expect(shown().split("\0")[0]).toBe("crank: short");
    keeper.attach();
    keeper.commit([
      { kind: "setTitle", title: "long ".repeat(100_000) },
      plainSpawn(2, sh('[ "$BASE" = 1 ] && exec sleep 600')),
    ]);
    await keeper.event("spawned");
    expect(shown()).toStartWith("long long long ");
    expect(shown().length).toBeLessThan(500_000);
  });
});

describe("a re-exec", () => {
  test("keeps the pid, the workers, the sockets, and incomplete lines of clients and of output", async () => {
    await keeper.start();
    keeper.commit([
      openUnix(1, keeper.path("c"), SOCK_STREAM),
      { kind: "acceptOn", handle: 1 },
      plainSpawn(
        1,
        sh("printf 'first '; sleep 0.3; while [ ! -e go ]; do sleep 0.01; done; echo second; exec sleep 600"),
        {
          cwd: keeper.directory,
        },
      ),
    ]);
    await keeper.eventually("spawned");
    const client = connect(keeper.path("c"), () => client.write("a\nhal"));
    const { connection } = await keeper.eventually("line");
    keeper.commit([{ kind: "put", key: "k", value: bytesOf("v") }]);
    keeper.commit([{ kind: "execute", path: readlinkSync(`/proc/${keeper.pid}/exe`) }]);
    const messages = await keeper.nextLife();
    expect(messages[0]).toMatchObject({ kind: "hello", pid: keeper.pid, executions: 1, fresh: 0 });
    expect(messages.filter((message) => message.kind === "helloWorker")).toHaveLength(1);
    expect(messages.filter((message) => message.kind === "helloConnection")).toMatchObject([{ connection }]);
    keeper.attach();
    client.write("f\n");
    expect(textOf((await keeper.eventually("line")).bytes)).toBe("half");
    await Bun.write(keeper.path("go"), "");
    await until("the line", () => keeper.keeper.output().includes("first second\n"));
    client.destroy();
  });

  test("that is not possible fails, and everything continues", async () => {
    await keeper.start();
    keeper.commit([{ kind: "execute", path: "/no/such/program" }]);
    expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.execute.code, errno: 2 });
    keeper.commit([{ kind: "barrier", token: 1 }]);
    expect(await keeper.event("reached")).toMatchObject({ token: 1 });
  });
});
