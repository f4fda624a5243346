// A supervisor that replaces another: directly, and through a wrapper whose changes become the base of later workers.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { COMMANDS } from "../../../src/keeper/protocol.ts";
import { bytesOf, DrivenKeeper, sh, until, untilThere } from "../harness/driven-keeper.ts";
import { type CommandOf, plainSpawn, type SupervisorEnd } from "../harness/keeper-under-test.ts";

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

/** The command that starts a candidate from the keeper's own installation. */
const replacement = (changes: Partial<CommandOf<"replaceSupervisor">> = {}): CommandOf<"replaceSupervisor"> => ({
  kind: "replaceSupervisor",
  runtime: keeper.keeper.program,
  bundle: "",
  file: "",
  args: [],
  unset: [],
  fd: 3,
  patienceMs: 30_000,
  ...changes,
});

/** Through a script; `$0` is the keeper's program, `$1` and `$2` are its first arguments. */
const through = (script: string, changes: Partial<CommandOf<"replaceSupervisor">> = {}) => {
  const fd = changes.fd ?? 3;
  const program = join(keeper.keeper.home, "bin/crank");
  const args = ["sh", "-c", script, program, "--with-state-fd", String(fd)];
  return replacement({ file: "/bin/sh", args, fd, ...changes });
};

/** Waits for the candidate, lets it report that it is ready, and acts as it from then on. */
const arrive = async (): Promise<SupervisorEnd> => {
  const candidate = await keeper.keeper.supervisor();
  const old = keeper.end;
  candidate.send({ kind: "present" });
  await old.gone;
  return candidate;
};

const settle = async (candidate: SupervisorEnd): Promise<void> => {
  await keeper.nextLife(candidate);
  keeper.attach();
  keeper.commit([]);
};

describe("a candidate", () => {
  test("replaces the supervisor when it is ready, and not before", async () => {
    await keeper.start();
    keeper.commit([replacement()]);
    const candidate = await keeper.keeper.supervisor();
    keeper.commit([{ kind: "put", key: "said", value: bytesOf("meanwhile") }]);
    keeper.keeper.signal(1);
    await keeper.event("signalled");
    const old = keeper.end;
    candidate.send({ kind: "present" });
    await old.gone;
    await keeper.nextLife(candidate);
    expect(keeper.hello).toContainEqual({ kind: "helloEntry", key: "said", value: bytesOf("meanwhile") });
    keeper.attach();
    // Events that the other has not consumed are delivered again.
    await keeper.event("signalled");
    keeper.commit([]);
    expect(await keeper.event("supervisorReplaced")).toMatchObject({ forked: 0 });
    // The next one is started from its program.
    await keeper.replaceSupervisor();
    keeper.attach();
    await keeper.event("supervisorReplaced");
    await keeper.event("supervisorDied");
  });

  test("that exits before its first batch is replaced by a supervisor of the previous program", async () => {
    await keeper.start();
    keeper.commit([replacement()]);
    const candidate = await arrive();
    await candidate.crash();
    await keeper.nextLife();
    keeper.attach();
    expect(await keeper.event("supervisorKept")).toMatchObject({ phase: 2, status: 6 });
    keeper.commit([replacement()]);
    await settle(await arrive());
    await keeper.event("supervisorReplaced");
  });

  test("that exits, hangs or sends something else before it is ready changes nothing", async () => {
    await keeper.start();
    keeper.commit([replacement()]);
    await (await keeper.keeper.supervisor()).leave();
    expect(await keeper.event("supervisorKept")).toMatchObject({ phase: 0, ending: 0, status: 0 });
    keeper.commit([replacement({ patienceMs: 3_000 })]);
    const late = await keeper.keeper.supervisor();
    expect(await keeper.event("supervisorKept")).toMatchObject({ phase: 1 });
    await late.gone;
    keeper.commit([replacement()]);
    (await keeper.keeper.supervisor()).send({ kind: "attach", protocol: 1 });
    expect(await keeper.event("supervisorKept")).toMatchObject({ phase: 0 });
    keeper.commit([replacement({ runtime: "/no/such/runtime" })]);
    expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.replaceSupervisor.code, step: "runtime" });
    keeper.commit([replacement(), replacement()]);
    expect(await keeper.event("failed")).toMatchObject({ step: "candidate", errno: 16 });
    keeper.commit([]);
    await settle(await arrive());
    await keeper.event("supervisorReplaced");
  });

  test("replaces a sleeping supervisor", async () => {
    await keeper.start();
    keeper.commit([replacement()]);
    const candidate = await keeper.keeper.supervisor();
    keeper.end.send({ kind: "idle", seen: 0 });
    expect(await keeper.next()).toMatchObject({ kind: "sleep" });
    await keeper.end.leave();
    candidate.send({ kind: "present" });
    await settle(candidate);
    await keeper.event("supervisorReplaced");
  });
});

describe("a candidate in a wrapper", () => {
  test("passes the wrapper's changes on to later workers", async () => {
    await keeper.start({ env: { KEPT: "1", DROPPED: "2" } });
    const where = keeper.path("elsewhere");
    const script = `mkdir ${where}; cd ${where}; export ADDED=3; umask 027; ulimit -n 321; ulimit -c 0; exec nice -n 3 "$0" "$@"`;
    keeper.commit([through(script, { fd: 9, unset: ["DROPPED"] })]);
    await settle(await arrive());
    expect(await keeper.event("supervisorReplaced")).toMatchObject({ forked: 0 });
    const told = keeper.path("told");
    const look = `(pwd; umask; ulimit -n; nice; echo "$KEPT$DROPPED$ADDED") > ${told}.new; mv ${told}.new ${told}; exec sleep 600`;
    keeper.commit([plainSpawn(1, sh(look), { cwd: "" })]);
    await untilThere(told);
    expect(readFileSync(told, "utf8").split("\n")).toEqual([where, "0027", "321", String(getPriority() + 3), "13", ""]);
  });

  test("may be slow, and its inherited descriptors stay open", async () => {
    await keeper.start();
    const go = keeper.path("go");
    keeper.commit([through(`while ! [ -e ${go} ]; do sleep 0.02; done; exec "$0" "$@"`, { patienceMs: 0 })]);
    keeper.keeper.signal(1);
    await keeper.event("signalled");
    keeper.commit([]);
    writeFileSync(go, "");
    await settle(await arrive());
    await keeper.event("supervisorReplaced");
  });

  test("that forks becomes the supervisor with the process that reports, whose end is noticed", async () => {
    await keeper.start();
    keeper.commit([through('sh -c \'"$0" "$@"; exit 1\' "$0" "$@"; exit 1')]);
    await settle(await arrive());
    const { forked, pid } = await keeper.event("supervisorReplaced");
    expect(forked).toBe(1);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await keeper.replaceSupervisor();
    keeper.attach();
    await keeper.event("supervisorReplaced");
    await keeper.event("supervisorDied");
    await until("its end", () => !existsSync(`/proc/${pid}`));
  });

  test("that forks and exits becomes the supervisor with the process that reports", async () => {
    await keeper.start();
    keeper.commit([through('"$0" "$@" & exit 0')]);
    await settle(await arrive());
    expect(await keeper.event("supervisorReplaced")).toMatchObject({ forked: 1 });
  });

  test("that does nothing or does not exist changes nothing", async () => {
    await keeper.start();
    keeper.commit([through("exit 0")]);
    expect(await keeper.event("supervisorKept")).toMatchObject({ phase: 0, ending: 0, status: 0 });
    keeper.commit([through("exec sleep 600", { patienceMs: 200 })]);
    expect(await keeper.event("supervisorKept")).toMatchObject({ phase: 1 });
    keeper.commit([replacement({ file: "/no/such/wrapper", args: ["wrapper"] })]);
    expect(await keeper.event("failed")).toMatchObject({ step: "exec", errno: 2 });
    keeper.commit([through('exec "$0" "$@"')]);
    await settle(await arrive());
    await keeper.event("supervisorReplaced");
  });
});

describe("a rehearsal", () => {
  test("shows that a program can take over the state, and leaves no trace", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, sh("exec sleep 600"))]);
    await keeper.event("spawned");
    keeper.commit([{ kind: "rehearse", path: "/proc/self/exe" }]);
    expect(await keeper.event("rehearsed")).toMatchObject({ step: "", ending: 0, status: 0 });
    expect(readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, "utf8").trim().split(" ")).toHaveLength(2);
  });

  test("reports what a program that cannot take over does", async () => {
    await keeper.start();
    const program = keeper.path("program");
    writeFileSync(program, "#!/bin/sh\nexit 9\n");
    keeper.commit([{ kind: "rehearse", path: program }]);
    expect(await keeper.event("rehearsed")).toMatchObject({ step: "open", errno: 13 });
    chmodSync(program, 0o755);
    keeper.commit([{ kind: "rehearse", path: program }]);
    expect(await keeper.event("rehearsed")).toMatchObject({ step: "", ending: 0, status: 9 });
    keeper.commit([{ kind: "rehearse", path: keeper.path("nowhere") }]);
    expect(await keeper.event("rehearsed")).toMatchObject({ step: "open", errno: 2 });
  });
});

test("a re-exec is refused when its supervisor program cannot be opened", async () => {
  await keeper.start();
  const path = join(keeper.keeper.home, "bin/crank");
  keeper.commit([
    { kind: "setProgram", runtime: "/no/such/runtime", bundle: "" },
    { kind: "execute", path },
  ]);
  expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.setProgram.code, step: "runtime", errno: 2 });
  keeper.commit([{ kind: "execute", path }]);
  expect((await keeper.nextLife())[0]).toMatchObject({ kind: "hello", executions: 1 });
});
