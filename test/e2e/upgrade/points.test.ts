// Upgrades of supervisor and keeper at points of a rollout, a failed one, a drain, a backoff and a shutdown: each scenario
// runs without them and with one at every point, and the events are the same.
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { changeKeeper } from "../harness/installation.ts";
import { Upgraded } from "../harness/upgraded.ts";
import { waitFor } from "../harness/wait.ts";

/** Without pids and times, which differ between two runs. */
const untimed = (text: string): string => text.replace(/pid \d+/g, "pid N").replace(/\d+(\.\d+)? s\b/g, "N s");

const services: Upgraded[] = [];
afterEach(async () => {
  for (const service of services.splice(0)) await service.clean();
});

type Point = () => Promise<void>;
/** Runs a scenario, stopping at each point, and returns what happened. */
type Scenario = (service: Upgraded, at: Point) => Promise<unknown>;

type Happened = { readonly kind: string; readonly worker?: number };

/**
 * What happened, without times, pids and numbers, and without the reports of the upgrades themselves. A restart is only
 * scheduled if the worker that died had not lived for a second, which a loaded machine decides.
 */
const happened = async (service: Upgraded): Promise<Happened[]> =>
  (await service.ctl("events", "-once", "-json")).stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Happened => JSON.parse(line, (key, value) => (/^(time|pid|seq|.*Ms)$/.test(key) ? undefined : value)))
    .filter(({ kind }) => !kind.startsWith("upgrade") && kind !== "respawnScheduled");

/** What happened to the service and to each worker: the order between two workers depends on the machine. */
const lives = async (service: Upgraded): Promise<Readonly<Record<string, readonly Happened[]>>> => {
  const byWorker: Record<string, Happened[]> = {};
  for (const event of await happened(service)) {
    const whose = event.worker === undefined ? "service" : `worker ${event.worker}`;
    byWorker[whose] = [...(byWorker[whose] ?? []), event];
  }
  return byWorker;
};

const untilHappened = (service: Upgraded, kind: string, count = 1): Promise<unknown> =>
  waitFor(`${count} of ${kind}`, async () => {
    const events = await happened(service);
    return events.filter((event) => JSON.stringify(event).includes(`"kind":"${kind}"`)).length >= count;
  });

/** A server that starts when the file NAME.WORKER exists. */
const held = (service: Upgraded, name: string, ...args: readonly string[]): readonly string[] => [
  ...["--", "sh", "-c", `while ! [ -e ${service.path(name)}.$CRANK_WORKER ]; do sleep 0.02; done; exec "$@"`, "sh"],
  ...[...RESPONDER, name, ...args],
];
const release = (service: Upgraded, name: string, ...workers: readonly number[]): void => {
  for (const worker of workers) writeFileSync(`${service.path(name)}.${worker}`, "");
};

const lived = async (
  scenario: Scenario,
  withUpgrades: "with" | "without",
): Promise<{ life: unknown; points: number }> => {
  const service = new Upgraded();
  await service.open();
  services.push(service);
  await service.start("-respawn");
  let points = 0;
  const life = await scenario(service, async () => {
    points += 1;
    if (withUpgrades === "without") return;
    changeKeeper(service.installed);
    const done = await service.ctl("upgrade", "-wait");
    expect(done.stdout + done.stderr).toMatch(/supervisor and keeper\n|Crank is shutting down/);
  });
  return { life, points };
};

const rollout: Scenario = async (service, at) => {
  release(service, "one", 1);
  const first = service.run("-instances", "2", ...held(service, "one"));
  await untilHappened(service, "workerReady");
  release(service, "one", 2);
  await first;
  const waiting = service.run(...held(service, "two"));
  await untilHappened(service, "workerStarted", 3);
  await at();
  release(service, "two", 3);
  await untilHappened(service, "workerStarted", 4);
  await at();
  await untilHappened(service, "workerGone", 1);
  await at();
  release(service, "two", 4);
  const { status, stdout } = await waiting;
  await untilHappened(service, "workerGone", 2);
  await at();
  return [status, untimed(stdout), (await service.ask()).split(" ")[0], await lives(service)];
};

const failure: Scenario = async (service, at) => {
  release(service, "one", 1);
  await service.deploy(...held(service, "one"));
  const waiting = service.run("-retries", "1", ...held(service, "two", "exit-3"));
  await untilHappened(service, "workerStarted", 2);
  await at();
  release(service, "two", 2);
  await untilHappened(service, "workerStarted", 3);
  await at();
  release(service, "two", 3);
  const { status, stdout } = await waiting;
  await at();
  return [status, untimed(stdout), (await service.ask()).split(" ")[0], await lives(service)];
};

const drain: Scenario = async (service, at) => {
  const drained = service.path("drained");
  const steps = ["-stop-steps", "USR1,USR2@0.5,KILL@600"];
  const script = `trap 'echo first' USR1; trap 'echo second' USR2; echo ready; while ! [ -e ${drained} ]; do sleep 0.02; done`;
  await service.deploy(...steps, "-ready", "delay:0.1", "--", "sh", "-c", script);
  await service.crank.wrote("stdout", "ready\n");
  release(service, "two", 2);
  await service.deploy(...held(service, "two"));
  await service.crank.wrote("stdout", "first\n");
  await at();
  await service.crank.wrote("stdout", "second\n");
  await at();
  writeFileSync(drained, "");
  await untilHappened(service, "workerGone");
  const said = service.crank.stdout().match(/(ready|first|second)\n/g);
  return [said, await lives(service)];
};

const backoff: Scenario = async (service, at) => {
  release(service, "one", 1);
  await service.deploy("-start", "60", ...held(service, "one"));
  const { pid: worker } = await service.ready();
  process.kill(worker, "SIGKILL");
  await untilHappened(service, "workerGone");
  await at();
  await untilHappened(service, "workerStarted", 2);
  await at();
  release(service, "one", 2);
  await untilHappened(service, "workerReady", 2);
  await at();
  return [(await service.ask()).split(" ")[0], await lives(service)];
};

const shutdown: Scenario = async (service, at) => {
  const [told, go] = [service.path("told"), service.path("go")];
  const script = `trap 'touch ${told}' TERM; echo ready; while ! [ -e ${go} ]; do sleep 0.02; done; exit 0`;
  await service.deploy("-ready", "delay:0.1", "-stop", "600", "--", "sh", "-c", script);
  await service.crank.wrote("stdout", "ready\n");
  await at();
  const waiting = service.ctl("shutdown", "-wait");
  await waitFor("the signal", () => existsSync(told));
  await at();
  const events = await lives(service);
  writeFileSync(go, "");
  const [{ stdout }, { status }] = [await waiting, await service.crank.ended];
  return [
    untimed(stdout),
    status,
    events,
    existsSync(service.path("web.ctl")),
    existsSync(service.path("web.run/journal")),
  ];
};

describe("an upgrade changes nothing at any point", () => {
  for (const [name, scenario, atLeast] of [
    ["of a rollout", rollout, 4],
    ["of a rollout that fails", failure, 3],
    ["of a drain", drain, 2],
    ["of a backoff", backoff, 3],
    ["of a shutdown", shutdown, 2],
  ] as const)
    test(name, async () => {
      const [alone, upgraded] = [await lived(scenario, "without"), await lived(scenario, "with")];
      expect(upgraded.life).toEqual(alone.life);
      expect(upgraded.points).toBe(atLeast);
    });
});
