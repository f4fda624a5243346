// The real keeper's commands for adoption, for datagrams, and for its own environment: what each does, and the step
// that it reports when it fails.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { COMMANDS, SPAWN_FLAGS, UNCHANGED } from "../../../src/keeper/protocol.ts";
import { AF_UNIX, describeAddress, SOCK_STREAM, unixAddress } from "../../../src/supervisor/os/sockaddr.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { bytesOf, DrivenKeeper, openTcp, openUnix, python, sh, until, untilThere } from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";
import { endProcess } from "../harness/real-keeper.ts";

/** A program that every user may execute. */
const PYTHON = "/usr/bin/python3";
const EPERM = 1;
const ENOENT = 2;
const ESRCH = 3;
const EBADF = 9;
const EEXIST = 17;
const ENOSPC = 28;
const ECONNREFUSED = 111;

let keeper: DrivenKeeper;
let strangers: Bun.Subprocess[];
beforeEach(async () => {
  keeper = new DrivenKeeper();
  strangers = [];
  await keeper.start();
});
afterEach(async () => {
  for (const stranger of strangers) {
    endProcess(stranger.pid);
    await stranger.exited;
  }
  await keeper.clean();
});

/** A process that is not the keeper's child. */
const stranger = (...command: readonly string[]): { readonly pid: number; readonly startTime: number } => {
  const process = Bun.spawn([...command], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  strangers.push(process);
  return { pid: process.pid, startTime: startTimeOf(process.pid) };
};

/** The 22nd field of proc_pid_stat(5), counted after the command's name. */
const startTimeOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
};

const failure = async (): Promise<{ command: number; id: number; step: string; errno: number }> => {
  const { command, id, step, errno } = await keeper.event("failed");
  return { command, id, step, errno };
};

describe("adopt", () => {
  /** Takes over neither its output nor a notify socket. */
  const adopt = (worker: number, pid: number, startTime: number) =>
    ({
      kind: "adopt",
      worker,
      pid,
      startTime,
      keeper: 1,
      generation: 0,
      flags: SPAWN_FLAGS.group,
      output: UNCHANGED,
      notifyFd: 0,
      notifyPath: "",
      identity: [],
      prefix: "",
      json: "",
    }) as const;

  test("makes a process a worker: it is reported, signalled, and its exit noticed without its status", async () => {
    const { pid, startTime } = stranger("sleep", "600");
    keeper.commit([adopt(5, pid, startTime)]);
    expect(await keeper.event("spawned")).toMatchObject({ worker: 5, pid, startTime });
    keeper.commit([]);
    const workers = (await keeper.replaceSupervisor()).filter((message) => message.kind === "helloWorker");
    expect(workers).toMatchObject([{ worker: 5, pid, startTime, state: 1 }]);
    keeper.attach();
    await keeper.event("supervisorDied");
    keeper.commit([{ kind: "signal", worker: 5, signal: 15, group: 0 }]);
    expect(await keeper.event("exited")).toMatchObject({ worker: 5, pid, ending: 3 });
  });

  test("refuses another start time, a process that has exited, and a number in use", async () => {
    const { pid, startTime } = stranger("sleep", "600");
    const gone = stranger("true");
    await strangers[1]?.exited;
    keeper.commit([
      adopt(1, pid, startTime),
      adopt(1, pid, startTime),
      adopt(2, pid, startTime + 1),
      adopt(3, gone.pid, gone.startTime),
    ]);
    await keeper.event("spawned");
    const command = COMMANDS.adopt.code;
    expect(await failure()).toEqual({ command, id: 1, step: "worker", errno: EEXIST });
    expect(await failure()).toEqual({ command, id: 2, step: "process", errno: ESRCH });
    expect(await failure()).toEqual({ command, id: 3, step: "process", errno: ESRCH });
  });
});

describe("takeDescriptor", () => {
  test("recovers a socket that only a worker holds", async () => {
    keeper.commit([openTcp(1, "127.0.0.1"), plainSpawn(1, ["/bin/sleep", "600"], { descriptors: [1, 7] })]);
    const { address } = await keeper.event("opened");
    const { pid, startTime } = await keeper.event("spawned");
    keeper.commit([
      { kind: "closeHandle", handle: 1 },
      { kind: "takeDescriptor", handle: 2, pid, startTime, fd: 7, uid: UNCHANGED, gid: UNCHANGED },
    ]);
    const taken = await keeper.event("opened");
    expect(taken).toMatchObject({ handle: 2, listening: 1 });
    expect(describeAddress(taken.address)).toEqual(describeAddress(address));
  });

  test("reports another process, a closed descriptor, and a handle in use", async () => {
    keeper.commit([openTcp(1, "127.0.0.1"), plainSpawn(1, ["/bin/sleep", "600"])]);
    await keeper.event("opened");
    const { pid, startTime } = await keeper.event("spawned");
    const command = COMMANDS.takeDescriptor.code;
    const take = { kind: "takeDescriptor", handle: 2, pid, startTime, fd: 0, uid: UNCHANGED, gid: UNCHANGED } as const;
    keeper.commit([{ ...take, startTime: startTime + 1 }]);
    expect(await failure()).toEqual({ command, id: 2, step: "process", errno: ESRCH });
    keeper.commit([{ ...take, handle: 3, fd: 900 }]);
    expect(await failure()).toEqual({ command, id: 3, step: "descriptor", errno: EBADF });
    keeper.commit([{ ...take, handle: 1 }]);
    expect(await failure()).toEqual({ command, id: 1, step: "handle", errno: EEXIST });
  });

  test("completes before a later barrier", async () => {
    keeper.commit([openTcp(1, "127.0.0.1"), plainSpawn(1, ["/bin/sleep", "600"], { descriptors: [1, 7] })]);
    await keeper.event("opened");
    const { pid, startTime } = await keeper.event("spawned");
    keeper.commit([
      { kind: "takeDescriptor", handle: 2, pid, startTime, fd: 7, uid: UNCHANGED, gid: UNCHANGED },
      { kind: "barrier", token: 5 },
    ]);
    expect(await keeper.next()).toMatchObject({ kind: "opened", handle: 2 });
    expect(await keeper.next()).toMatchObject({ kind: "reached", token: 5 });
  });

  needing(ROOT_USER).test("uses the rights of the user that had the descriptor", async () => {
    const user = { identity: [65534, 65534], descriptors: [1, 7] };
    keeper.commit([openTcp(1, "127.0.0.1"), plainSpawn(1, ["/bin/sleep", "600"], user)]);
    await keeper.event("opened");
    const { pid, startTime } = await keeper.event("spawned");
    const take = { kind: "takeDescriptor", handle: 2, pid, startTime, fd: 7, uid: 65534, gid: 65534 } as const;
    keeper.commit([take]);
    expect(await keeper.event("opened")).toMatchObject({ handle: 2, listening: 1 });
    const command = COMMANDS.takeDescriptor.code;
    // As if it had executed a set-id program: of another user, or of another group.
    for (const other of [{ uid: 65533 }, { gid: 65533 }, { uid: 0, gid: 0 }]) {
      keeper.commit([{ ...take, handle: 3, ...other }]);
      expect(await failure()).toEqual({ command, id: 3, step: "process", errno: EPERM });
    }
  });

  needing(ROOT_USER, { name: PYTHON, isMet: existsSync(PYTHON) }).test(
    "is refused when the process does not permit its user to inspect it",
    async () => {
      const program = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0); print('x', flush=True); time.sleep(600)";
      keeper.commit([plainSpawn(1, [PYTHON, "-c", program], { identity: [65534, 65534] })]);
      const { pid, startTime } = await keeper.event("spawned");
      await until("a process that is not dumpable", () => statSync(`/proc/${pid}/environ`).uid === 0);
      keeper.commit([{ kind: "takeDescriptor", handle: 2, pid, startTime, fd: 0, uid: 65534, gid: 65534 }]);
      const command = COMMANDS.takeDescriptor.code;
      expect(await failure()).toEqual({ command, id: 2, step: "descriptor", errno: EPERM });
    },
  );
});

describe("datagrams", () => {
  test("fail on an unbound address and on a handle that does not exist", async () => {
    keeper.commit([
      { kind: "openDatagram", handle: 1, domain: AF_UNIX, address: unixAddress(keeper.path("nobody")) },
      { kind: "sendDatagram", handle: 9, worker: 0, bytes: bytesOf("x"), handles: [] },
      { kind: "sendDatagram", handle: 0, worker: 8, bytes: bytesOf("x"), handles: [] },
    ]);
    expect(await failure()).toMatchObject({ command: COMMANDS.openDatagram.code, id: 1, step: "connect" });
    expect(await failure()).toMatchObject({ command: COMMANDS.sendDatagram.code, id: 9, step: "send", errno: EBADF });
    expect(await failure()).toMatchObject({ command: COMMANDS.sendDatagram.code, id: 8, step: "send" });
  });

  test("report that the peer has closed", async () => {
    const path = keeper.path("log");
    const { pid } = stranger(
      ...python(
        `import socket,time;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(${JSON.stringify(path)});time.sleep(600)`,
      ),
    );
    await untilThere(path);
    keeper.commit([{ kind: "openDatagram", handle: 1, domain: AF_UNIX, address: unixAddress(path) }]);
    await keeper.event("opened");
    endProcess(pid);
    await strangers[0]?.exited;
    keeper.commit([{ kind: "sendDatagram", handle: 1, worker: 0, bytes: bytesOf("x"), handles: [] }]);
    const command = COMMANDS.sendDatagram.code;
    expect(await failure()).toEqual({ command, id: 1, step: "send", errno: ECONNREFUSED });
  });
});

describe("heartbeat", () => {
  test("needs an open handle, and at most four can exist", async () => {
    const receivers = [1, 2, 3, 4, 5].map((handle) => openUnix(handle, keeper.path(`s${handle}`), SOCK_STREAM));
    const beat = (handle: number, periodMs: number) =>
      ({ kind: "heartbeat", handle, periodMs, bytes: bytesOf("x") }) as const;
    keeper.commit([...receivers, beat(77, 1000), ...receivers.map(({ handle }) => beat(handle, 1000))]);
    for (const { handle } of receivers) expect(await keeper.event("opened")).toMatchObject({ handle });
    const command = COMMANDS.heartbeat.code;
    expect(await failure()).toEqual({ command, id: 77, step: "heartbeat", errno: EBADF });
    expect(await failure()).toEqual({ command, id: 5, step: "heartbeat", errno: ENOSPC });
    // One that has ended makes room for another.
    keeper.commit([beat(1, 0), beat(5, 1000), { kind: "barrier", token: 1 }]);
    await keeper.event("reached");
  });
});

describe("routeOutput", () => {
  test("sends the lines of workers and of the supervisor to the given sink in the given format", async () => {
    const json = '"service":"web","id":1';
    keeper.commit([
      { kind: "routeOutput", format: 1, sink: 2, address: new Uint8Array(), header: "" },
      plainSpawn(1, sh("echo hello"), { json }),
    ]);
    await keeper.eventually("exited");
    const line = await until("the line", () =>
      keeper.keeper
        .output()
        .split("\n")
        .find((each) => each.includes("hello")),
    );
    expect(JSON.parse(line)).toMatchObject({ service: "web", id: 1 });
  });

  test("with invalid arguments fails, and the sinks do not change", async () => {
    keeper.commit([
      { kind: "routeOutput", format: 9, sink: 9, address: new Uint8Array(), header: "" },
      plainSpawn(1, sh("echo still here")),
    ]);
    expect(await failure()).toMatchObject({ command: COMMANDS.routeOutput.code, step: "output" });
    await keeper.eventually("exited");
    await until("the line", () => keeper.keeper.output().includes("still here"));
  });
});

describe("setBase", () => {
  test("adds to the earlier values, for all later processes, including supervisors", async () => {
    keeper.commit([{ kind: "setBase", env: [["ONE", "1"]], unset: [] }]);
    keeper.commit([{ kind: "setBase", env: [["TWO", "2"]], unset: ["ONE"] }, plainSpawn(1, ["/bin/sleep", "600"])]);
    const { pid } = await keeper.event("spawned");
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    expect(environment).toContain("TWO=2");
    expect(environment).not.toContain("ONE=1");
    keeper.commit([]);
    await keeper.replaceSupervisor();
    keeper.attach();
    keeper.commit([plainSpawn(2, ["/bin/sleep", "600"])]);
    const later = await keeper.eventually("spawned");
    expect(readFileSync(`/proc/${later.pid}/environ`, "utf8").split("\0")).toContain("TWO=2");
  });
});

describe("setProgram", () => {
  /** The path of the next supervisor's program. */
  const programOfNext = async (): Promise<string> => {
    keeper.commit([{ kind: "barrier", token: 7 }]);
    await keeper.eventually("reached");
    keeper.commit([]);
    await keeper.replaceSupervisor();
    const children = readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, "utf8").trim().split(" ");
    return readlinkSync(`/proc/${children.at(-1)}/exe`);
  };

  test("sets the program of the next supervisor, even if its file is removed later", async () => {
    const runtime = keeper.path("runtime");
    const first = await programOfNext();
    keeper.attach();
    copyFileSync(first, runtime);
    const path = realpathSync(runtime);
    keeper.commit([
      { kind: "setProgram", runtime, bundle: "" },
      { kind: "barrier", token: 1 },
    ]);
    await keeper.eventually("reached");
    rmSync(runtime);
    expect(await programOfNext()).toBe(`${path} (deleted)`);
  });

  test("with an unusable file fails, and the next supervisor runs the previous program", async () => {
    const first = await programOfNext();
    keeper.attach();
    const plain = keeper.path("plain");
    writeFileSync(plain, "");
    keeper.commit([
      { kind: "setProgram", runtime: keeper.path("missing"), bundle: "" },
      { kind: "setProgram", runtime: plain, bundle: "" },
    ]);
    const command = COMMANDS.setProgram.code;
    await keeper.eventually("supervisorDied");
    expect(await failure()).toEqual({ command, id: 0, step: "runtime", errno: ENOENT });
    expect(await failure()).toMatchObject({ command, id: 0, step: "runtime" });
    expect(await programOfNext()).toBe(first);
    expect(existsSync(first)).toBe(true);
  });
});
