// einhyrningsins between start and end: infants, retries, upgrades, deaths and signals, as workers and clients see them.
import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { compiled } from "../harness/apps.ts";
import { Bench, portOf, type Running } from "../harness/bench.ts";
import { answerFrom, EINHYRNINGSINS, said, scene, workers, workersOf } from "../harness/einhyrningsins.ts";
import { Load } from "../harness/load.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

/** Enough attempts for a busy machine, on which a worker may not get there within 3 s. */
const PATIENT = ["-r", "20"];
/** This worker sends READY=1, as crank's do: it is healthy at once. */
const QUICK = [compiled("worker"), "v1"];

/** Waits until the log shows this many started workers, and returns their pids in order. */
const started = (master: Running, count: number): Promise<number[]> =>
  waitFor(`${count} started`, () => {
    const found = [...master.stderr().matchAll(/Started worker \d+ \(pid (\d+)/g)].map((match) => Number(match[1]));
    return found.length >= count && found;
  });

/** Waits until a rollout is complete. */
const inPlace = (master: Running, generation: number): Promise<true> =>
  said(master, `Rolled out generation ${generation}`);

const released = (master: Running, pid: number): boolean =>
  new RegExp(`Stopping worker \\d+ \\(pid ${pid}, .* with SIGUSR2`).test(master.stderr());

describe("an infant", () => {
  scene("is healthy when it has lived for three seconds", async (stage) => {
    const master = stage.master([], "v1");
    const [pid = 0] = await started(master, 1);
    expect(await stage.status(/1 healthy/)).toContain(`pid ${pid}: healthy`);
    await master.wrote("stderr", /is ready after [0-9.]+ s/);
    expect(Number(/is ready after ([0-9.]+) s/.exec(master.stderr())?.[1])).toBeGreaterThanOrEqual(3);
  });

  scene("is healthy when it acknowledges, with -m", async (stage) => {
    const master = stage.master(["-m", ...PATIENT], "v1", "ack");
    await said(master, 'answered "Acknowledged!"');
    expect(await stage.status(/1 healthy/)).toContain("1 wanted: 1 healthy, 0 infant");
    expect(await answerFrom(master)).toBe(`v1 ${workersOf(master).at(-1)}`);
  });

  scene("that does not acknowledge with -m is terminated and retried as often as -r says", async (stage) => {
    const script = 'trap "echo got TERM; exit 0" TERM; trap "" USR2; while :; do sleep 0.1; done';
    const ended = await stage.start(["-m", "-r", "2", "sh", "-c", script]).ended;
    expect(ended).toMatchObject({ status: 0, stdout: "got TERM\ngot TERM\n" });
    expect(ended.stderr.match(/Started worker/g)).toHaveLength(2);
  });

  scene("that dies is started again, and is given up after its last attempt", async (stage) => {
    const flag = stage.path("flag");
    const master = stage.start(["-n", "2", "-r", "3", "sh", "-c", `[ -e ${flag} ] && exit 3; exec sleep 600`]);
    await inPlace(master, 1);
    writeFileSync(flag, "");
    const [doomed = 0, other = 0] = await started(master, 2);
    process.kill(doomed, "SIGKILL");
    await said(master, "has no attempts left");
    expect(await started(master, 5)).toHaveLength(5);
    expect(await stage.ctl("status")).toContain("1 wanted: 1 healthy, 0 infant, 0 shutting down");
    expect(isAlive(other)).toBe(true);
  });

  scene(
    "that never becomes healthy in the first start ends einhyrningsins with 0 if it was the only one",
    async (stage) => {
      const ended = await stage.start(["-r", "2", "sh", "-c", "echo here; exit 3"]).ended;
      expect(ended).toMatchObject({ status: 0, stdout: "here\nhere\n" });
    },
  );

  scene("whose program cannot be started is reported as an error", async (stage) => {
    const ended = await stage.start(["no-such-program-anywhere"]).ended;
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("command not found: no-such-program-anywhere");
  });
});

describe("a healthy worker", () => {
  scene("that dies is replaced at once", async (stage) => {
    const master = stage.start(["-b", "127.0.0.1:0", ...QUICK]);
    await inPlace(master, 1);
    const [pid = 0] = await started(master, 1);
    process.kill(pid, "SIGKILL");
    const [, next = 0] = await started(master, 2);
    expect(await stage.status(/1 wanted: 1 healthy/)).toContain(`pid ${next}: healthy`);
  });

  scene("that dies together with the supervisor is replaced", async (stage) => {
    const master = stage.start(["-b", "127.0.0.1:0", ...QUICK]);
    await inPlace(master, 1);
    const [pid = 0] = await started(master, 1);
    await stage.ctl("status");
    signal(await waitFor("the supervisor", () => supervisorOf(master)), "SIGKILL");
    process.kill(pid, "SIGKILL");
    await started(master, 2);
    await stage.status(/1 wanted: 1 healthy/);
  });
});

describe("SIGHUP", () => {
  scene(
    "starts a successor for every worker at once, and each healthy successor stops one old worker with SIGUSR2",
    async (stage) => {
      const master = stage.start(["-n", "3", "-b", "127.0.0.1:0", ...QUICK]);
      await inPlace(master, 1);
      master.signal("SIGHUP");
      const all = await started(master, 6);
      const old = all.slice(0, 3);
      await waitFor("the old ones to be gone", () => !old.some(isAlive));
      // The log is written after the action.
      for (const pid of old) await waitFor(`word of ${pid}'s release`, () => released(master, pid));
      expect(all.slice(3).every(isAlive)).toBe(true);
      expect(await stage.status(/3 healthy, 0 infant, 0 shutting/)).toContain("3 wanted");
    },
  );

  scene("whose successors die leaves the old workers running, and the next one succeeds", async (stage) => {
    const flag = stage.path("flag");
    const script = `[ -e ${flag} ] && exit 3; exec ${QUICK.join(" ")}`;
    const master = stage.start(["-n", "2", "-r", "2", "-b", "127.0.0.1:0", "sh", "-c", script]);
    await inPlace(master, 1);
    const old = await started(master, 2);
    writeFileSync(flag, "");
    master.signal("SIGHUP");
    await said(master, "was rolled back");
    expect(old.every(isAlive)).toBe(true);
    expect(old.some((pid) => released(master, pid))).toBe(false);
    await stage.status(/2 wanted: 2 healthy, 0 infant, 0 shutting/);
    rmSync(flag);
    master.signal("SIGHUP");
    await waitFor("the old ones to be gone", () => !old.some(isAlive));
  });

  scene(
    "in the middle of an upgrade causes one more after it, without successors for draining workers",
    async (stage) => {
      const master = stage.start(["sh", "-c", 'trap "" USR2; while :; do sleep 0.1; done']);
      await inPlace(master, 1);
      master.signal("SIGHUP");
      const [first = 0, second = 0] = await started(master, 2);
      master.signal("SIGHUP");
      await waitFor("the first to be released", () => released(master, first));
      const all = await started(master, 3);
      await waitFor("the first two to be gone", () => !isAlive(first) && !isAlive(second));
      expect(await started(master, 3)).toEqual(all);
    },
  );
});

describe("a signal", () => {
  scene("that is passed on reaches every worker", async (stage) => {
    const master = stage.master(["-n", "2"], "v1");
    await workers(master, 2);
    for (const name of ["SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGCONT"] as const) {
      master.signal(name);
      await waitFor(name, () => master.stdout().match(new RegExp(`got ${name}`, "g"))?.length === 2);
    }
  });

  for (const name of ["SIGINT", "SIGUSR2"] as const)
    scene(`${name} stops the workers with SIGUSR2, and ends with 0 when they are gone`, async (stage) => {
      const master = stage.master(["-n", "2"], "v1");
      const pids = await workers(master, 2);
      master.signal(name);
      expect((await master.ended).status).toBe(0);
      for (const pid of pids) await master.wrote("stdout", `${pid} got SIGUSR2`);
      expect(master.stdout()).not.toContain("SIGTERM");
      expect(pids.some(isAlive)).toBe(false);
    });

  for (const name of ["SIGTERM", "SIGQUIT"] as const)
    scene(`${name} stops the workers with SIGTERM, and einhyrningsins ends with 0`, async (stage) => {
      const master = stage.master([], "v1", "deaf");
      const [pid] = await workers(master, 1);
      master.signal(name);
      expect((await master.ended).status).toBe(0);
      await master.wrote("stdout", `${pid} got SIGTERM`);
      expect(master.stdout()).not.toContain("SIGUSR2");
    });

  scene("SIGINT is followed by SIGTERM, and that by SIGKILL, for a worker that ignores it", async (stage) => {
    const master = stage.master([], "v1", "deaf", "deaf-to-term");
    const [pid = 0] = await workers(master, 1);
    master.signal("SIGINT");
    await said(master, `${pid} got SIGUSR2`);
    await said(master, `${pid} got SIGTERM`);
    expect((await master.ended).status).toBe(0);
    expect(isAlive(pid)).toBe(false);
    await master.wrote("stderr", "was killed by SIGKILL");
  });

  scene("SIGTERM after SIGINT takes effect at once", async (stage) => {
    const master = stage.master([], "v1", "deaf");
    const [pid] = await workers(master, 1);
    master.signal("SIGINT");
    await said(master, `${pid} got SIGUSR2`);
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
    await master.wrote("stdout", `${pid} got SIGTERM`);
  });
});

test("replacements under load refuse and reset no connection", async () => {
  const bench = new Bench();
  const flags = ["-d", `${bench.directory}/control`, "-n", "2", "-b", "127.0.0.1:0"];
  // This worker sends READY=1, as crank's do: it is healthy at once.
  const master = bench.start([EINHYRNINGSINS, ...flags, compiled("worker"), "-drain", "300", "v1"]);
  await waitFor("the start", () => master.stderr().includes("Rolled out generation 1"));
  const load = new Load({ port: portOf(master), anew: 50, pauseMs: 20, stays: 200, talkMs: 500 });
  await waitFor("the clients that stay", () => load.staying === 200);
  for (let generation = 2; generation <= 12; generation++) {
    master.signal("SIGHUP");
    await waitFor(`generation ${generation}`, () => master.stderr().includes(`Rolled out generation ${generation}`));
  }
  await waitFor("the clients to be back", () => load.staying === 200);
  const counts = await load.stop();
  await bench.clean();
  expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  expect(counts.drained).toBeGreaterThan(0);
}, 120_000);
