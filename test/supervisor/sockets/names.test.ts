// What the supervisor does when the file of a unix socket is removed: it opens one new socket, and replaces the workers that
// have the old one by an ordinary rollout, even if the supervisor is killed meanwhile.
import { expect, test } from "bun:test";
import { NAME_STATES } from "../../../src/keeper/protocol.ts";
import { Supervised } from "../supervised.ts";

const SOCKET = 10;
const CONTROL = 1;
const AF_UNIX = 1;
const STREAM = 1;

const serving = async (): Promise<Supervised> => {
  const service = new Supervised({ args: ["-bind", "/sim/app.sock"] });
  await service.serve();
  await service.ask("run", { command: ["/bin/server"], ready: { kind: "ack" } });
  await ready(service, 1);
  return service;
};

/** A worker has been started and reports that it is ready. */
const ready = async (service: Supervised, worker: number): Promise<void> => {
  const pid = 100 + worker;
  await service.send({ kind: "spawned", worker, pid, startTime: 1 });
  const bytes = new TextEncoder().encode(JSON.stringify({ command: "worker:ack", pid }));
  await service.send({ kind: "line", connection: 7, listener: CONTROL, pid, uid: 0, gid: 0, bytes });
};

const lost = (service: Supervised, handle: number) =>
  service.send({ kind: "nameChanged", handle, state: NAME_STATES.lost, pid: 0, errno: 2 });

const opened = (service: Supervised, handle: number) =>
  service.send({
    ...{ kind: "opened", handle, domain: AF_UNIX, type: STREAM, listening: 1, limit: 4096, inode: 70 + handle },
    address: new TextEncoder().encode("\x01\0/sim/app.sock\0"),
  });

const started = (service: Supervised): number[] => service.commands("spawn").map(({ worker }) => worker);

test("names are checked when crank starts to serve, at each rollout, and at a SIGHUP", async () => {
  const service = await serving();
  const watched = (): number => service.commands("watchName").filter(({ handle }) => handle === SOCKET).length;
  const before = watched();
  expect(before).toBe(2);
  await service.send({ kind: "signalled", signal: 1, pid: 1, uid: 0 });
  expect(watched()).toBeGreaterThan(before);
  expect(service.last("watchName").map(({ spare }) => spare)).toContain(`/sim/one.run/names/${SOCKET}`);
});

test("a listener that has lost its name is bound again once, and its workers are replaced", async () => {
  const service = await serving();
  await lost(service, SOCKET);
  await lost(service, SOCKET);
  expect(service.commands("bindAgain")).toMatchObject([{ handle: SOCKET }]);
  const kept = service.commands("bindAgain")[0]?.kept ?? 0;
  expect(kept).toBeGreaterThan(0);
  await opened(service, SOCKET);
  expect(started(service)).toEqual([1, 2]);
  await ready(service, 2);
  expect(service.commands("signal")).toMatchObject([{ worker: 1 }]);
  const closed = (): boolean => service.commands("closeHandle").some(({ handle }) => handle === kept);
  expect(closed()).toBe(false);
  await service.send({ kind: "exited", worker: 1, pid: 101, ending: 0, status: 0, tail: new Uint8Array() });
  expect(closed()).toBe(true);
  expect(started(service)).toEqual([1, 2]);
});

test("the control socket is bound again and accepts connections, without a deploy", async () => {
  const service = await serving();
  await lost(service, CONTROL);
  expect(service.commands("bindAgain")).toMatchObject([{ handle: CONTROL, kept: 0 }]);
  expect(service.commands("acceptOn").filter(({ handle }) => handle === CONTROL)).toHaveLength(2);
  await opened(service, CONTROL);
  expect(started(service)).toEqual([1]);
});

test("a failed bind is retried at the keeper's next report", async () => {
  const service = await serving();
  await lost(service, SOCKET);
  await service.send({ kind: "failed", command: 35, id: SOCKET, step: "bind", errno: 2 });
  await lost(service, SOCKET);
  expect(service.commands("bindAgain")).toHaveLength(2);
});

test("workers are replaced once, wherever the supervisor is killed", async () => {
  for (let batches = 0; batches < 4; batches++) {
    const service = await serving();
    await lost(service, SOCKET);
    service.batchesLeft = batches;
    await opened(service, SOCKET);
    service.batchesLeft = Number.POSITIVE_INFINITY;
    await service.start();
    expect(started(service)).toEqual([1, 2]);
  }
});
