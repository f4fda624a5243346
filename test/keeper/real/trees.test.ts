// How a real keeper finds, signals and ends a worker's processes; see also ../conformance/workers.test.ts.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { COMMANDS, type Command, UNCHANGED } from "../../../src/keeper/protocol.ts";
import { DrivenKeeper, python, sh, textOf, until, untilThere } from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";
import { endProcess } from "../harness/real-keeper.ts";

const SIGTERM = 15;
const SIGKILL = 9;

let keeper: DrivenKeeper;
let started: number[] = [];
beforeEach(() => {
  keeper = new DrivenKeeper();
  started = [];
});
afterEach(async () => {
  await keeper.clean();
  for (const pid of started) endProcess(pid);
});

const stat = (pid: number): string[] => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return ["gone"];
  }
};
const isAlive = (pid: number): boolean => !["gone", "Z", "X"].includes(stat(pid)[0] ?? "");

/** The pid that a process wrote into a file of the keeper's directory. */
const written = async (name: string): Promise<number> => {
  const path = keeper.path(name);
  // The file is created empty.
  const pid = await until(name, () => existsSync(path) && (Number(readFileSync(path, "utf8")) || undefined));
  started.push(pid);
  return pid;
};
/** A process in a session of its own, with nothing inherited from the worker, that writes its pid into a file. */
const lost = (name: string): string =>
  `setsid env -i sh -c 'echo $$ > ${keeper.path(name)}; exec sleep 600' </dev/null >/dev/null 2>&1 3<&- &`;
const signal = (worker: number, number: number, group = 1) =>
  ({ kind: "signal", worker, signal: number, group }) as const;

describe("the tree of a worker", () => {
  test("is killed although its processes fork forever", async () => {
    await keeper.start();
    // They stop when the test's directory is removed, in case the test itself is killed.
    const hopping = `
import os,time
hops=${JSON.stringify(keeper.path("hops"))}
open(hops,"w").write("1")
for start in range(4):
    if os.fork()==0:
        os.setsid()
        while os.path.exists(hops):
            if os.fork()>0: os._exit(0)
            time.sleep(0.001)
        os._exit(0)
os._exit(0)`;
    keeper.commit([plainSpawn(1, python(hopping))]);
    expect((await keeper.eventually("mainExited")).rest).toBeGreaterThan(0);
    keeper.commit([signal(1, SIGKILL)]);
    expect(await keeper.eventually("exited")).toMatchObject({ worker: 1, ending: 0, status: 0 });
    const children = readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, "utf8").trim().split(" ");
    expect(children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("os.fork"))).toEqual([]);
  });

  test("includes a process without a mark of its own if no other worker can have started it", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, sh(`${lost("first")} while [ ! -s ${keeper.path("first")} ]; do sleep 0.01; done`))]);
    const pid = await written("first");
    expect(await keeper.eventually("mainExited")).toMatchObject({ worker: 1, rest: 1 });
    keeper.commit([signal(1, SIGTERM)]);
    await keeper.eventually("exited");
    expect(isAlive(pid)).toBe(false);
  });

  test("includes a process that several workers may have started until the last of them ends", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, ["/bin/sleep", "600"])]);
    await keeper.eventually("spawned");
    // Start times have a resolution of 10 ms.
    await Bun.sleep(30);
    keeper.commit([
      plainSpawn(2, sh(`${lost("shared")} while [ ! -s ${keeper.path("shared")} ]; do sleep 0.01; done`)),
    ]);
    const pid = await written("shared");
    expect(await keeper.eventually("exited")).toMatchObject({ worker: 2 });
    expect(isAlive(pid)).toBe(true);
    keeper.commit([signal(1, SIGTERM, 0)]);
    expect(await keeper.eventually("mainExited")).toMatchObject({ worker: 1, rest: 1 });
    keeper.commit([signal(1, SIGKILL)]);
    expect(await keeper.eventually("killed")).toMatchObject({ worker: 1, pids: [pid], commands: ["sleep 600"] });
    await keeper.eventually("exited");
  });

  test("keeps the readers of its pipes until their writers have exited", async () => {
    await keeper.start();
    const writer = `trap '' PIPE; trap 'echo over; sleep 0.2; echo and out; exit 0' TERM; echo $$ > ${keeper.path("writer")}; while :; do sleep 0.01; done`;
    const reader = `while read line; do echo "read $line"; done; echo end`;
    keeper.commit([
      plainSpawn(1, sh(`(${writer}) | (${reader}) & while [ ! -s ${keeper.path("writer")} ]; do sleep 0.01; done`)),
    ]);
    await keeper.eventually("mainExited");
    keeper.commit([signal(1, SIGTERM)]);
    const { tail } = await keeper.eventually("exited");
    expect(textOf(tail)).toEndWith("read over\nread and out\nend\n");
  });

  test("gets a signal for a reader that outlives its writer", async () => {
    await keeper.start();
    const reader = `echo $$ > ${keeper.path("reader")}; trap 'echo told; exit 0' TERM; cat > /dev/null; while :; do sleep 0.01; done`;
    keeper.commit([
      plainSpawn(
        1,
        sh(
          `sleep 600 | sh -c "${reader.replaceAll("$", "\\$")}" & while [ ! -s ${keeper.path("reader")} ]; do sleep 0.01; done`,
        ),
      ),
    ]);
    await keeper.eventually("mainExited");
    keeper.commit([signal(1, SIGTERM)]);
    expect(textOf((await keeper.eventually("exited")).tail)).toBe("told\n");
  });
});

describe("a main process that ends", () => {
  const naming = (ends: string) => `
import os,socket,time
notify=socket.socket(fileno=3)
if os.fork()==0:
    os.setsid()
    open(${JSON.stringify(keeper.path("daemon"))},"w").write(str(os.getpid()))
    time.sleep(600)
while not os.path.exists(${JSON.stringify(keeper.path("daemon"))}): time.sleep(0.01)
notify.send(b"MAINPID=1")
${ends}`;

  test("does not end the worker until its message about another main process is consumed", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, python(naming("os._exit(0)")), { notifyFd: 3 })]);
    await keeper.event("spawned");
    await keeper.event("datagram");
    const pid = await written("daemon");
    await until("another parent", () => Number(stat(pid)[1]) === keeper.pid);
    keeper.commit([{ kind: "followMain", worker: 1, pid, startTime: Number(stat(pid)[19]) }]);
    expect(await keeper.event("moved")).toMatchObject({ worker: 1, pid });
    keeper.commit([signal(1, SIGTERM, 0)]);
    expect(await keeper.event("exited")).toMatchObject({ worker: 1, pid, ending: 1, status: SIGTERM });
  });

  test("is reported when that message is not followed", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, python(naming("os._exit(7)")), { notifyFd: 3 })]);
    await keeper.event("spawned");
    await keeper.event("datagram");
    await written("daemon");
    keeper.commit([]);
    expect(await keeper.event("mainExited")).toMatchObject({ worker: 1, ending: 0, status: 7, rest: 1 });
  });
});

describe("the end of the keeper", () => {
  const leaving = (name: string) =>
    sh(`${lost(name)} while [ ! -s ${keeper.path(name)} ]; do sleep 0.01; done; exec sleep 600`);

  test("ends the remaining processes of earlier workers, and leaves running workers", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, ["/bin/sleep", "600"])]);
    const { pid: running } = await keeper.eventually("spawned");
    started.push(running);
    keeper.commit([plainSpawn(2, sh(`setsid sleep 600 & echo $! > ${keeper.path("left")}`))]);
    await keeper.eventually("mainExited");
    const left = await written("left");
    keeper.commit([{ kind: "exit", status: 0, keepJournal: 0 }]);
    expect(await keeper.keeper.ended).toBe(0);
    expect([isAlive(running), isAlive(left)]).toEqual([true, false]);
  });

  test("leaves everything that the next keeper is to adopt", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, leaving("kept"))]);
    const { pid } = await keeper.eventually("spawned");
    started.push(pid);
    const kept = await written("kept");
    keeper.commit([{ kind: "exit", status: 0, keepJournal: 1 }]);
    await keeper.keeper.ended;
    expect([isAlive(pid), isAlive(kept)]).toEqual([true, true]);
  });
});

describe("existing processes", () => {
  test("a worker whose main process has exited survives a re-exec", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, sh(`setsid sleep 600 & echo $! > ${keeper.path("left")}; exit 5`))]);
    await keeper.eventually("mainExited");
    const left = await written("left");
    keeper.commit([{ kind: "execute", path: `${keeper.keeper.home}/bin/crank` }]);
    const hello = await keeper.nextLife();
    expect(hello.filter(({ kind }) => kind === "helloWorker")).toMatchObject([{ worker: 1, state: 3 }]);
    keeper.attach();
    keeper.commit([signal(1, SIGTERM)]);
    expect(await keeper.eventually("exited")).toMatchObject({ worker: 1, ending: 0, status: 5 });
    expect(isAlive(left)).toBe(false);
  });

  test("a worker is adopted with the remaining processes that its environment marks, and no others", async () => {
    await keeper.start();
    // Pids of this test only: remaining processes are searched among all processes of the machine.
    const [master, gone] = [Bun.spawn(["true"]), Bun.spawn(["true"])];
    await Promise.all([master.exited, gone.exited]);
    const named = ["env", "CRANK_WORKER=5", "CRANK_GENERATION=2", `EINHORN_MASTER_PID=${master.pid}`];
    const script = `echo $$ > ${keeper.path("rest")}; exec sleep 600`;
    const other = `echo $$ > ${keeper.path("other")}; exec sleep 600`;
    Bun.spawn(["setsid", ...named, "sh", "-c", script]);
    Bun.spawn(["setsid", ...named, "CRANK_GENERATION=3", "sh", "-c", other]);
    const [rest, foreign] = [await written("rest"), await written("other")];
    await untilThere(keeper.path("other"));
    const adopt: Omit<Extract<Command, { kind: "adopt" }>, "generation"> = {
      ...{ kind: "adopt", worker: 5, pid: gone.pid, startTime: 1, keeper: master.pid, flags: 1, output: UNCHANGED },
      ...{ notifyFd: 0, notifyPath: "", identity: [], prefix: "", json: "" },
    };
    keeper.commit([
      { ...adopt, generation: 2 },
      { ...adopt, worker: 6, generation: 2 },
    ]);
    await keeper.event("spawned");
    expect(await keeper.event("mainExited")).toMatchObject({ worker: 5, ending: 3, rest: 1 });
    expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.adopt.code, id: 6, step: "process" });
    keeper.commit([signal(5, SIGKILL)]);
    expect(await keeper.eventually("killed")).toMatchObject({ worker: 5, pids: [rest] });
    await keeper.eventually("exited");
    expect([isAlive(rest), isAlive(foreign)]).toEqual([false, true]);
  });
});
