// The pace of deploys, and the replacement of old workers, seen from outside.
import { beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { Status, WorkerInfo } from "../../../src/control/messages.ts";
import { RESPONDER } from "../harness/apps.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());
beforeEach(() => web.start());

const app = (version: string, ...misdeeds: string[]) => ["--", ...RESPONDER, version, ...misdeeds];
const statusWhen = (what: string, holds: (status: Status) => boolean): Promise<Status> =>
  waitFor(what, async () => {
    const seen = await web.status();
    return holds(seen) ? seen : null;
  });
const pids = (workers: readonly WorkerInfo[]): number[] => workers.map(({ pid }) => pid ?? 0);

test("a pause follows every replacement but the last", async () => {
  await web.run("-instances", "3", ...app("one"));
  expect(await web.run("-pause", "0.4", ...app("two"))).toMatchObject({ status: 0 });
  const all = await web.events();
  const story = all
    .slice(all.findIndex((entry) => entry.kind === "rolloutStarted" && entry.generation === 2))
    .filter(({ kind }) => ["workerStarting", "workerStopping", "rolloutWaiting", "rolloutComplete"].includes(kind));
  const replacement = ["workerStarting", "workerStopping"] as const;
  expect(story.map(({ kind }) => kind)).toEqual([
    ...replacement,
    "rolloutWaiting",
    ...replacement,
    "rolloutWaiting",
    ...replacement,
    "rolloutComplete",
  ]);
  for (const [index, { kind, time }] of story.entries()) {
    if (kind !== "rolloutWaiting") continue;
    expect(Date.parse(story[index + 1]?.time ?? "") - Date.parse(time)).toBeGreaterThanOrEqual(399);
  }
});

test("a rollout that pauses says so, replaces a worker that dies, and does not delay a rollback", async () => {
  await web.run("-instances", "3", ...app("one"));
  const before = pids((await web.status()).workers);
  await web.ctl("run", "-pause", "3600", ...app("two"));
  const pausing = await statusWhen("the pause", ({ rollout }) => rollout?.waiting?.kind === "pause");
  expect((await web.ctl("status")).stdout).toMatch(/Rolling out generation 2 .*the next one in \d+/);
  const old = pausing.workers.filter((worker) => worker.generation === 1 && worker.state === "ready");
  expect(old.length).toBe(2);
  process.kill(old[0]?.pid ?? Number.NaN, "SIGKILL");
  await statusWhen("the replacement of the dead", ({ rollout }) => rollout?.ready === 2);
  expect(await web.run("-supersede", "-pause", "3600", ...app("three", "exit-3"))).toMatchObject({
    status: 1,
  });
  const after = await statusWhen("the way back", ({ rollout, workers }) => {
    const ready = workers.filter((worker) => worker.state === "ready");
    return rollout === null && ready.length === 3 && ready.every((worker) => worker.generation === 1);
  });
  expect(pids(after.workers).some((pid) => before.includes(pid))).toBeTrue();
});

test("no more workers drain than allowed, whatever their generations, and the waiting rollout says so", async () => {
  await web.run("-instances", "2", "-stop", "3600", "-draining", "3", ...app("one", "deaf"));
  await web.run(...app("two", "deaf"));
  const drained = await web.status();
  expect(drained.draining).toEqual({ workers: 2, generations: [1], limit: 3 });
  await web.ctl("run", ...app("three"));
  const waiting = await statusWhen("the wait for a place", ({ rollout }) => rollout?.waiting?.kind === "draining");
  expect(waiting.draining).toEqual({ workers: 3, generations: [1, 2], limit: 3 });
  const shown = (await web.ctl("status")).stdout;
  expect(shown).toContain("waiting for a drain to end (at most 3 at once)");
  expect(shown).toContain("Draining: 3 of generations 1, 2, at most 3");
  const [first] = waiting.workers.filter((worker) => worker.generation === 1);
  await web.ctl("kill", "-wait", "-signal", "KILL", "-pid", String(first?.pid));
  const complete = await statusWhen("the end of the rollout", ({ rollout }) => rollout === null);
  expect(complete.generation).toBe(3);
  expect(complete.draining).toEqual({ workers: 3, generations: [1, 2], limit: 3 });
  for (const pid of pids(complete.workers)) await web.ctl("kill", "-signal", "KILL", "-pid", String(pid));
});

test("workers that are too old are replaced one by one, each by one that serves first", async () => {
  await web.run("-instances", "2", "-max-age", "1", ...app("one"));
  const first = pids((await web.status()).workers);
  await waitFor("the end of the first workers", () => !first.some(isAlive));
  expect(await web.run("-max-age", "0")).toMatchObject({ status: 0 });
  const last = pids((await statusWhen("the last drains", ({ workers }) => workers.length === 2)).workers);
  const serving = new Set<number>();
  for (const entry of await web.events()) {
    if (entry.kind === "workerReady") serving.add(entry.worker);
    // A worker that was still starting at the deploy goes too.
    if (entry.kind === "workerStopping" && serving.delete(entry.worker)) expect(serving.size).toBeGreaterThanOrEqual(2);
  }
  const dismissed = (await web.events()).filter((entry) => entry.kind === "workerDismissed");
  expect(dismissed.length).toBeGreaterThanOrEqual(2);
  for (const entry of dismissed) expect(entry.reason.kind).toBe("age");
  expect(pids((await web.status()).workers)).toEqual(last);
});

test("a worker whose process tree has grown too large is replaced, and the others stay", async () => {
  const flags = ["-instances", "2", "-max-memory", "64", "-memory-interval", "1"];
  await web.run(...flags, "--", "python3", join(ROOT, "test/apps/hoarder.py"));
  // Measured, and found small enough.
  const before = await statusWhen("a measurement", ({ workers }) => workers.every(({ usage }) => usage !== null));
  const [large = 0, small = 0] = pids(before.workers);
  await web.ctl("kill", "-signal", "USR1", "-pid", String(large));
  await waitFor("the end of the large one", () => !isAlive(large));
  const after = await statusWhen("its successor", ({ workers }) => workers.length === 2);
  expect(pids(after.workers)).toContain(small);
  expect(after.workers.map(({ state }) => state)).toEqual(["ready", "ready"]);
  const all = await web.events();
  const dismissed = all.filter((entry) => entry.kind === "workerDismissed");
  expect(dismissed).toMatchObject([{ pid: large, reason: { kind: "memory" } }]);
  const [{ reason } = {}] = dismissed;
  if (reason?.kind === "memory") expect(reason.bytes).toBeGreaterThan(reason.limit);
  const kinds = all.slice(all.findIndex(({ kind }) => kind === "workerDismissed")).map(({ kind }) => kind);
  expect(kinds.indexOf("workerReady")).toBeLessThan(kinds.indexOf("workerStopping"));
});
