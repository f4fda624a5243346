// Which processes may send READY=1 for a worker on its notify socket, by the sender's credentials.
import { expect, test } from "bun:test";
import type { Lineage } from "../../src/supervisor/os/platform.ts";
import type { ProcessTable } from "../../src/supervisor/os/processes.ts";
import { type Batch, Supervised } from "./supervised.ts";

const KEEPER = 1;
const WORKER = 100;
const OTHER_WORKER = 101;
const PAIR = 0;
const PATH = 1;
const NO_PROCESSES: ProcessTable = {
  list: () => [],
  facts: () => null,
  environment: async () => null,
  command: async () => "",
  descriptors: () => ({ kind: "hidden", reason: "it is gone" }),
  accessMode: () => null,
  sockets: () => new Map(),
};
const READY = new TextEncoder().encode("READY=1");

/** The processes: what each look-up of a pid finds; the last answer repeats. */
type Processes = Readonly<Record<number, readonly (Lineage | null)[]>>;

const child = (parent: number, uid = 0): Lineage => ({ parent, uid });

const WORKERS: Processes = { [WORKER]: [child(KEEPER)], [OTHER_WORKER]: [child(KEEPER)] };

/** A process's environment variables about its worker: the pid of its keeper, its worker and its generation. */
type Named = readonly [keeper: number, worker: number, generation: number];
type Flags = Readonly<Record<string, unknown>> & { readonly named?: Readonly<Record<number, Named>> };

/** A crank with two workers that have not sent anything yet. */
const serving = async (processes: Processes, { named = {}, ...flags }: Flags): Promise<Supervised> => {
  const asked = new Map<number, number>();
  const lineage = (pid: number): Lineage | null => {
    const answers = { ...WORKERS, ...processes }[pid] ?? [];
    const time = asked.get(pid) ?? 0;
    asked.set(pid, time + 1);
    return answers[Math.min(time, answers.length - 1)] ?? null;
  };
  const findUser = (name: string) => ({ name, uid: Number(name), gid: 0, groups: [] });
  const table: ProcessTable = {
    ...NO_PROCESSES,
    facts: (pid) => (processes[pid] ? { pid, startTime: 1, parent: KEEPER, group: pid, uids: [0, 0, 0] } : null),
    environment: async (pid) => {
      const [keeper, worker, generation] = named[pid] ?? [];
      return new Map([
        ["EINHORN_MASTER_PID", String(keeper)],
        ["CRANK_WORKER", String(worker)],
        ["CRANK_GENERATION", String(generation)],
        ["CRANK_NAME", "one"],
      ]);
    },
  };
  const service = new Supervised({ platform: { lineage, findUser, processes: table } });
  await service.serve();
  await service.ask("run", { command: ["/bin/server"], instances: 2, ...flags });
  for (const [index, { worker }] of service.commands("spawn").entries())
    await service.send({ kind: "spawned", worker, pid: WORKER + index, startTime: 1 });
  return service;
};

type Sender = { readonly pid: number; readonly uid?: number; readonly source?: number };

/** Whether the first worker is ready after a process has sent READY=1. */
const isHeard = async (sender: Sender, processes: Processes = {}, flags: Flags = {}) => {
  const service = await serving(processes, flags);
  const batches = await service.send({
    kind: "datagram",
    worker: 1,
    gid: 0,
    flags: 0,
    descriptors: 0,
    bytes: READY,
    uid: 0,
    source: PATH,
    ...sender,
  });
  return stateOf(batches) === "ready";
};

const stateOf = (batches: readonly Batch[]): string => {
  const entry = batches.flat().find((command) => command.kind === "put" && command.key === "worker/1");
  return entry?.kind === "put" ? JSON.parse(String(entry.value)).kind : "unchanged";
};

test("the worker and its children may send READY=1", async () => {
  expect(await isHeard({ pid: WORKER })).toBe(true);
  expect(await isHeard({ pid: 202 }, { 202: [child(201)], 201: [child(WORKER)] })).toBe(true);
});

test("an orphan with crank as its parent may send READY=1 if its environment names this worker of this crank", async () => {
  const orphan = { 202: [child(KEEPER)] };
  expect(await isHeard({ pid: 202 }, orphan, { named: { 202: [KEEPER, 1, 1] } })).toBe(true);
  expect(await isHeard({ pid: 202 }, orphan, { named: { 202: [KEEPER, 2, 1] } })).toBe(false);
  expect(await isHeard({ pid: 202 }, orphan, { named: { 202: [KEEPER, 1, 2] } })).toBe(false);
  expect(await isHeard({ pid: 202 }, orphan, { named: { 202: [KEEPER + 1, 1, 1] } })).toBe(false);
  expect(await isHeard({ pid: 202 }, orphan)).toBe(false);
});

test("an orphan of an adopted worker, with the same parent, may send READY=1 if its environment names this worker", async () => {
  const adopted = { [WORKER]: [child(7)], 202: [child(7)], 203: [child(0)] };
  expect(await isHeard({ pid: 202 }, adopted, { named: { 202: [KEEPER, 1, 1] } })).toBe(true);
  expect(await isHeard({ pid: 202 }, adopted, { named: { 202: [KEEPER, 2, 1] } })).toBe(false);
  expect(await isHeard({ pid: 202, uid: 33 }, adopted, { named: { 202: [KEEPER, 1, 1] } })).toBe(false);
});

test("a process that does not descend from the worker may not send READY=1", async () => {
  expect(await isHeard({ pid: OTHER_WORKER })).toBe(false);
  expect(await isHeard({ pid: 202 }, { 202: [child(OTHER_WORKER)] })).toBe(false);
  expect(await isHeard({ pid: 202 }, { 202: [child(77)], 77: [child(0)] })).toBe(false);
});

test("any process with the worker's end of the pair may send READY=1, even from another pid namespace", async () => {
  expect(await isHeard({ pid: 0, uid: 65534, source: PAIR })).toBe(true);
  expect(await isHeard({ pid: 202, uid: 65534, source: PAIR }, { 202: [child(77)], 77: [child(0)] })).toBe(true);
});

test("a process of another pid namespace may not send READY=1 to the path", async () => {
  expect(await isHeard({ pid: 0 })).toBe(false);
});

test("a process that has exited may have sent READY=1 if its user was the worker's or root", async () => {
  expect(await isHeard({ pid: 202, uid: 0 })).toBe(true);
  expect(await isHeard({ pid: 202, uid: 33 })).toBe(false);
  expect(await isHeard({ pid: 202, uid: 33 }, {}, { user: "33" })).toBe(true);
  expect(await isHeard({ pid: 202, uid: 34 }, {}, { user: "33" })).toBe(false);
  // The worker has changed its user itself.
  expect(await isHeard({ pid: 202, uid: 33 }, { [WORKER]: [child(KEEPER, 33)] })).toBe(true);
});

test("the look-up of a sender is repeated when an ancestor exits during it", async () => {
  const orphaned = [child(201), child(KEEPER)];
  expect(await isHeard({ pid: 202 }, { 202: orphaned, 201: [null] }, { named: { 202: [KEEPER, 1, 1] } })).toBe(true);
  const strayed = [child(201), child(77)];
  expect(await isHeard({ pid: 202 }, { 202: strayed, 201: [null], 77: [child(0)] })).toBe(false);
  const ended = [child(201), null];
  expect(await isHeard({ pid: 202, uid: 0 }, { 202: ended, 201: [null] })).toBe(true);
  expect(await isHeard({ pid: 202, uid: 33 }, { 202: ended, 201: [null] })).toBe(false);
});

test("a sender whose ancestors exit faster than the look-up may send READY=1 as the worker's user", async () => {
  expect(await isHeard({ pid: 202, uid: 0 }, { 202: [child(201)], 201: [null] })).toBe(true);
  expect(await isHeard({ pid: 202, uid: 33 }, { 202: [child(201)], 201: [null] })).toBe(false);
});
