// The stop signal that a READY=1 causes: it is sent before the state that it follows from is written.
import { expect, test } from "bun:test";
import { type Batch, Supervised } from "../supervised.ts";

const SIGTERM = 15;
const READY = new TextEncoder().encode("READY=1");

const say = (service: Supervised, worker: number, bytes = READY): Promise<readonly Batch[]> => {
  const said = { source: 0, pid: 100 + worker, uid: 0, gid: 0, flags: 0, descriptors: 0, bytes };
  return service.send({ kind: "datagram", worker, ...said });
};

const spawned = (service: Supervised, worker: number): Promise<readonly Batch[]> =>
  service.send({ kind: "spawned", worker, pid: 100 + worker, startTime: 1 });

/** A second deploy whose worker runs and is not ready yet. */
const withSecondDeploy = async (): Promise<Supervised> => {
  const service = new Supervised();
  await service.serve();
  await service.ask("run", { command: ["/bin/server"], instances: 1 });
  await spawned(service, 1);
  await say(service, 1);
  await service.ask("events", { follow: true }, 9);
  await service.ask("run", { command: ["/bin/other"], instances: 1, wait: true });
  await spawned(service, 2);
  return service;
};

const kinds = (batch: Batch | undefined): readonly string[] => (batch ?? []).map(({ kind }) => kind);
/** The output to clients and to the log. */
const told = (batches: readonly Batch[]): readonly string[] =>
  batches
    .flat()
    .flatMap((command) => (command.kind === "write" || command.kind === "log" ? [String(command.bytes)] : []));

test("the stop signal is sent first, with the decision alone, and the rest follows", async () => {
  const service = await withSecondDeploy();
  const [first, ...rest] = await say(service, 2);
  expect(kinds(first)).toEqual(["put", "signal", "commit"]);
  expect(first).toContainEqual({ kind: "signal", worker: 1, signal: SIGTERM, group: 0 });
  expect(kinds(rest.flat())).not.toContain("signal");
  expect(rest.flat()).toContainEqual({ kind: "remove", key: "decision" });
});

test("the stop signal is sent once, and later output is published once, wherever the supervisor is killed", async () => {
  const whole = await withSecondDeploy();
  const expected = await say(whole, 2);
  for (const batchesLeft of [0, 1]) {
    const service = await withSecondDeploy();
    service.batchesLeft = batchesLeft;
    const before = await say(service, 2);
    service.batchesLeft = Number.POSITIVE_INFINITY;
    // The next one starts later: the decision stays the same.
    service.now += batchesLeft === 0 ? 0 : 500;
    const batches = [...before, ...(await service.start())];
    expect(batches.flat().filter(({ kind }) => kind === "signal")).toHaveLength(1);
    expect(told(batches)).toEqual(told(expected));
    expect(service.value("service")).toEqual(whole.value("service"));
    expect(service.value("worker/1")).toEqual(whole.value("worker/1"));
    expect(service.value("decision")).toBeUndefined();
  }
});

test("the stop signal waits for the rest when the same datagram says more", async () => {
  const service = await withSecondDeploy();
  const [first] = await say(service, 2, new TextEncoder().encode("READY=1\nSTATUS=warm"));
  expect(kinds(first)).toContain("signal");
  expect(service.value("decision")).toBeUndefined();
  expect(service.value("worker/1")).toMatchObject({ kind: "stopping" });
});

test("the decision is dropped when a version that does not know decisions has consumed later events", async () => {
  const service = await withSecondDeploy();
  service.batchesLeft = 1;
  await say(service, 2);
  service.batchesLeft = Number.POSITIVE_INFINITY;
  service.consumeOneMore();
  await service.start();
  expect(service.value("worker/1")).toMatchObject({ kind: "ready" });
  expect(service.value("decision")).toBeUndefined();
});
