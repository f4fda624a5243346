// The pace of deploys, and workers that are replaced for their age, from outside.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { EventEntry, Status, WorkerInfo } from "../../src/control/messages.ts";
import { Bench, isAlive, ROOT, waitFor } from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");

let bench: Bench;
beforeEach(async () => {
  bench = new Bench();
  await bench.crank("web", ["-bind", "127.0.0.1:0"]);
});
afterEach(() => bench.clean());

const ctl = (...args: string[]) => bench.ctl("web", ...args);
const app = (version: string, ...misdeeds: string[]) => ["--", "python3", RESPONDER, version, ...misdeeds];
const json = async <T>(...args: string[]): Promise<T> => JSON.parse((await ctl(...args, "-json")).stdout);
const status = () => json<Status>("status");
const statusWhen = (what: string, holds: (status: Status) => boolean): Promise<Status> =>
  waitFor(what, async () => {
    const seen = await status();
    return holds(seen) ? seen : null;
  });
const events = async (): Promise<EventEntry[]> =>
  (await ctl("events", "-once", "-json")).stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
const pids = (workers: readonly WorkerInfo[]): number[] => workers.map(({ pid }) => pid ?? 0);

test("a pause lies between every two replacements, and behind none", async () => {
  await ctl("run", "-wait", "-instances", "3", ...app("one"));
  expect(await ctl("run", "-wait", "-pause", "0.4", ...app("two"))).toMatchObject({ status: 0 });
  const all = await events();
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

test("a rollout that pauses says so, replaces who dies, and a rollback does not wait", async () => {
  await ctl("run", "-wait", "-instances", "3", ...app("one"));
  const before = pids((await status()).workers);
  await ctl("run", "-pause", "3600", ...app("two"));
  const pausing = await statusWhen("the pause", ({ rollout }) => rollout?.waiting?.kind === "pause");
  expect((await ctl("status")).stdout).toMatch(/Rolling out generation 2 .*the next one in \d+/);
  const old = pausing.workers.filter((worker) => worker.generation === 1 && worker.state === "ready");
  expect(old.length).toBe(2);
  process.kill(old[0]?.pid ?? Number.NaN, "SIGKILL");
  await statusWhen("the replacement of the dead", ({ rollout }) => rollout?.ready === 2);
  expect(await ctl("run", "-wait", "-supersede", "-pause", "3600", ...app("three", "exit-3"))).toMatchObject({
    status: 1,
  });
  const after = await statusWhen("the way back", ({ rollout, workers }) => {
    const ready = workers.filter((worker) => worker.state === "ready");
    return rollout === null && ready.length === 3 && ready.every((worker) => worker.generation === 1);
  });
  expect(pids(after.workers).some((pid) => before.includes(pid))).toBeTrue();
});

test("no more workers drain than may, whatever their generations, and the rollout that waits says so", async () => {
  await ctl("run", "-wait", "-instances", "2", "-stop", "3600", "-draining", "3", ...app("one", "deaf"));
  await ctl("run", "-wait", ...app("two", "deaf"));
  const drained = await status();
  expect(drained.draining).toEqual({ workers: 2, generations: [1], limit: 3 });
  await ctl("run", ...app("three"));
  const waiting = await statusWhen("the wait for a place", ({ rollout }) => rollout?.waiting?.kind === "draining");
  expect(waiting.draining).toEqual({ workers: 3, generations: [1, 2], limit: 3 });
  const shown = (await ctl("status")).stdout;
  expect(shown).toContain("waiting for a drain to end (at most 3 at once)");
  expect(shown).toContain("Draining: 3 of generations 1, 2, at most 3");
  const [first] = waiting.workers.filter((worker) => worker.generation === 1);
  await ctl("kill", "-wait", "-signal", "KILL", "-pid", String(first?.pid));
  const complete = await statusWhen("the end of the rollout", ({ rollout }) => rollout === null);
  expect(complete.generation).toBe(3);
  expect(complete.draining).toEqual({ workers: 3, generations: [1, 2], limit: 3 });
  for (const pid of pids(complete.workers)) await ctl("kill", "-signal", "KILL", "-pid", String(pid));
});

test("workers that are too old are replaced one by one, each by one that serves before it goes", async () => {
  await ctl("run", "-wait", "-instances", "2", "-max-age", "1", ...app("one"));
  const first = pids((await status()).workers);
  await waitFor("the end of the first workers", () => !first.some(isAlive));
  expect(await ctl("run", "-wait", "-max-age", "0")).toMatchObject({ status: 0 });
  const last = pids((await statusWhen("the last drains", ({ workers }) => workers.length === 2)).workers);
  const serving = new Set<number>();
  for (const entry of await events()) {
    if (entry.kind === "workerReady") serving.add(entry.worker);
    // One that was still starting when the deploy came goes too, and nobody misses it.
    if (entry.kind === "workerStopping" && serving.delete(entry.worker)) expect(serving.size).toBeGreaterThanOrEqual(2);
  }
  const dismissed = (await events()).filter((entry) => entry.kind === "workerDismissed");
  expect(dismissed.length).toBeGreaterThanOrEqual(2);
  for (const entry of dismissed) expect(entry.reason.kind).toBe("age");
  expect(pids((await status()).workers)).toEqual(last);
});

test("a worker that has grown too large with what it has started is replaced, and the others stay", async () => {
  const flags = ["-instances", "2", "-max-memory", "64", "-memory-interval", "1"];
  await ctl("run", "-wait", ...flags, "--", "python3", join(ROOT, "test/apps/hoarder.py"));
  // Measured, and found small enough.
  const before = await statusWhen("a measurement", ({ workers }) => workers.every(({ usage }) => usage !== null));
  const [large = 0, small = 0] = pids(before.workers);
  await ctl("kill", "-signal", "USR1", "-pid", String(large));
  await waitFor("the end of the large one", () => !isAlive(large));
  const after = await statusWhen("its successor", ({ workers }) => workers.length === 2);
  expect(pids(after.workers)).toContain(small);
  expect(after.workers.map(({ state }) => state)).toEqual(["ready", "ready"]);
  const all = await events();
  const dismissed = all.filter((entry) => entry.kind === "workerDismissed");
  expect(dismissed).toMatchObject([{ pid: large, reason: { kind: "memory" } }]);
  const [{ reason } = {}] = dismissed;
  if (reason?.kind === "memory") expect(reason.bytes).toBeGreaterThan(reason.limit);
  const kinds = all.slice(all.findIndex(({ kind }) => kind === "workerDismissed")).map(({ kind }) => kind);
  expect(kinds.indexOf("workerReady")).toBeLessThan(kinds.indexOf("workerStopping"));
});
