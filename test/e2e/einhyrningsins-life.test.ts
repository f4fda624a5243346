// einhyrningsins between start and end: infants, retries, upgrades, deaths and signals, as workers and clients see them.
import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { compiled } from "./harness/apps.ts";
import { answerFrom, EINHYRNINGSINS, said, scene, workers, workersOf } from "./harness/einhyrningsins.ts";
import { Load } from "./harness/load.ts";
import { Bench, isAlive, portOf, supervisorOf, waitFor } from "./harness/service.ts";

/** Acknowledgements, and more attempts than are needed: on a busy machine a worker may not get there within 3 s. */
const PATIENT = ["-m", "-r", "9"];

describe("an infant", () => {
  scene("is healthy when it has lived for three seconds", async (stage) => {
    const master = stage.master([], "v1");
    const [pid = 0] = await workers(master, 1);
    expect(await stage.ctl("status")).toContain(`pid ${pid}: infant`);
    expect(await stage.status(/1 healthy/)).toContain(`pid ${pid}: healthy`);
  });

  scene("is healthy at once when it acknowledges, with -m", async (stage) => {
    const master = stage.master(PATIENT, "v1", "ack");
    await said(master, 'answered "Acknowledged!"');
    expect(await stage.ctl("status")).toContain("1 healthy, 0 infant");
    expect(await answerFrom(master)).toBe(`v1 ${workersOf(master)[0]}`);
  });

  scene("that does not acknowledge with -m is terminated and started again, as often as -r says", async (stage) => {
    const master = stage.master(["-m", "-r", "2"], "v1", "deaf");
    const [first = 0, second = 0] = await workers(master, 2);
    await said(master, `${first} got SIGTERM`);
    expect((await master.ended).status).toBe(0);
    expect(master.stdout()).toContain(`${second} got SIGTERM`);
    expect(workersOf(master)).toHaveLength(2);
  });

  scene("that dies is started again, and with its last attempt its place is given up", async (stage) => {
    const flag = stage.path("flag");
    const master = stage.master(["-n", "2", "-r", "3"], "v1", `dies=${flag}`);
    await workers(master, 2);
    await stage.status(/2 healthy/);
    writeFileSync(flag, "");
    const [doomed = 0, other = 0] = workersOf(master);
    process.kill(doomed, "SIGKILL");
    await said(master, "is given up");
    expect(workersOf(master)).toHaveLength(5);
    expect(await stage.ctl("status")).toContain("1 wanted: 1 healthy, 0 infant, 0 shutting down");
    expect(await answerFrom(master)).toBe(`v1 ${other}`);
  });

  scene("of the first start that never gets healthy ends it when it was the only one, with 0", async (stage) => {
    const flag = stage.path("flag");
    writeFileSync(flag, "");
    const master = stage.master(["-r", "2"], "v1", `dies=${flag}`);
    expect((await master.ended).status).toBe(0);
    expect(workersOf(master)).toHaveLength(2);
  });

  scene("whose program cannot be started is an error that is said", async (stage) => {
    const ended = await stage.start(["no-such-program-anywhere"]).ended;
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("no such file or directory");
  });
});

describe("a healthy worker", () => {
  scene("that dies is replaced at once", async (stage) => {
    const master = stage.master(PATIENT, "v1", "ack");
    const [pid = 0] = await workers(master, 1);
    await stage.status(/1 healthy/);
    process.kill(pid, "SIGKILL");
    const [, next = 0] = await workers(master, 2);
    expect(await answerFrom(master)).toBe(`v1 ${next}`);
  });

  scene("that dies is replaced also when the supervisor is killed with it", async (stage) => {
    const master = stage.master(PATIENT, "v1", "ack");
    const [pid = 0] = await workers(master, 1);
    await stage.status(/1 healthy/);
    process.kill(await waitFor("the supervisor", () => supervisorOf(master)), "SIGKILL");
    process.kill(pid, "SIGKILL");
    await workers(master, 2);
    await stage.status(/1 wanted: 1 healthy/);
  });
});

describe("SIGHUP", () => {
  scene(
    "starts a successor for every worker at once, and each that is healthy releases one by SIGUSR2",
    async (stage) => {
      const master = stage.master(["-n", "3", ...PATIENT], "v1", "ack");
      const old = await workers(master, 3);
      await stage.status(/3 healthy/);
      master.signal("SIGHUP");
      const all = await workers(master, 6);
      await waitFor("the old ones to be gone", () => !old.some(isAlive));
      for (const pid of old) expect(master.stdout()).toContain(`${pid} got SIGUSR2`);
      expect(all.slice(3).every(isAlive)).toBe(true);
      expect(await stage.status(/3 healthy, 0 infant, 0 shutting/)).toContain("3 wanted");
    },
  );

  scene("whose successors die leaves those that are there, and another one goes through", async (stage) => {
    const flag = stage.path("flag");
    const master = stage.master(["-n", "2", "-m", "-r", "2"], "v1", "ack", `dies=${flag}`);
    const old = await workers(master, 2);
    await stage.status(/2 healthy/);
    writeFileSync(flag, "");
    master.signal("SIGHUP");
    await said(master, "was rolled back");
    expect(old.every(isAlive)).toBe(true);
    expect(master.stdout()).not.toContain("SIGUSR2");
    await stage.status(/2 wanted: 2 healthy, 0 infant, 0 shutting/);
    rmSync(flag);
    master.signal("SIGHUP");
    await waitFor("the old ones to be gone", () => !old.some(isAlive));
  });

  scene("in the middle of an upgrade is one more after it, and gives those that drain no successors", async (stage) => {
    const master = stage.master(PATIENT, "v1", "ack", "deaf");
    const [first = 0] = await workers(master, 1);
    await stage.status(/1 healthy/);
    master.signal("SIGHUP");
    const [, second = 0] = await workers(master, 2);
    await said(master, `${first} got SIGUSR2`);
    master.signal("SIGHUP");
    const [, , third = 0] = await workers(master, 3);
    await waitFor("the first two to be gone", () => !isAlive(first) && !isAlive(second));
    expect(workersOf(master)).toEqual([first, second, third]);
  });
});

describe("a signal", () => {
  scene("of those that are passed on reaches every worker", async (stage) => {
    const master = stage.master(["-n", "2"], "v1");
    await workers(master, 2);
    for (const name of ["SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGCONT"] as const) {
      master.signal(name);
      await waitFor(name, () => master.stdout().match(new RegExp(`got ${name}`, "g"))?.length === 2);
    }
  });

  for (const name of ["SIGINT", "SIGUSR2"] as const)
    scene(`${name} asks the workers by SIGUSR2, and ends with 0 when they are gone`, async (stage) => {
      const master = stage.master(["-n", "2"], "v1");
      const pids = await workers(master, 2);
      master.signal(name);
      expect((await master.ended).status).toBe(0);
      for (const pid of pids) expect(master.stdout()).toContain(`${pid} got SIGUSR2`);
      expect(master.stdout()).not.toContain("SIGTERM");
      expect(pids.some(isAlive)).toBe(false);
    });

  for (const name of ["SIGTERM", "SIGQUIT"] as const)
    scene(`${name} ends the workers by SIGTERM, and einhyrningsins with 0`, async (stage) => {
      const master = stage.master([], "v1", "deaf");
      const [pid] = await workers(master, 1);
      master.signal(name);
      expect((await master.ended).status).toBe(0);
      expect(master.stdout()).toContain(`${pid} got SIGTERM`);
      expect(master.stdout()).not.toContain("SIGUSR2");
    });

  scene("SIGINT is followed by SIGTERM, and that by SIGKILL, for who does not heed it", async (stage) => {
    const master = stage.master([], "v1", "deaf", "deaf-to-term");
    const [pid = 0] = await workers(master, 1);
    master.signal("SIGINT");
    await said(master, `${pid} got SIGUSR2`);
    await said(master, `${pid} got SIGTERM`);
    expect((await master.ended).status).toBe(0);
    expect(isAlive(pid)).toBe(false);
    expect(master.stderr()).toContain("was ended by SIGKILL");
  });

  scene("SIGTERM after SIGINT does not wait for the first to be heeded", async (stage) => {
    const master = stage.master([], "v1", "deaf");
    const [pid] = await workers(master, 1);
    master.signal("SIGINT");
    await said(master, `${pid} got SIGUSR2`);
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
    expect(master.stdout()).toContain(`${pid} got SIGTERM`);
  });
});

test("replacements under load refuse and reset nobody", async () => {
  const bench = new Bench();
  const flags = ["-d", `${bench.directory}/control`, "-n", "2", "-b", "127.0.0.1:0"];
  // This worker says READY=1, as crank's do: it is healthy at once.
  const master = bench.start([EINHYRNINGSINS, ...flags, compiled("worker"), "-drain", "300", "v1"]);
  await waitFor("the start", () => master.stderr().includes("Generation 1 is in place"));
  const load = new Load({ port: portOf(master), anew: 50, pauseMs: 20, stays: 200, talkMs: 500 });
  await waitFor("the clients that stay", () => load.staying === 200);
  for (let generation = 2; generation <= 12; generation++) {
    master.signal("SIGHUP");
    await waitFor(`generation ${generation}`, () => master.stderr().includes(`Generation ${generation} is in place`));
  }
  await waitFor("the clients to be back", () => load.staying === 200);
  const counts = await load.stop();
  await bench.clean();
  expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  expect(counts.drained).toBeGreaterThan(0);
}, 120_000);
