// Process ownership: what makes a process a worker's, for MAINPID= and for a start that a killed keeper left unfinished.
import { expect, test } from "bun:test";
import { CRANK } from "../../src/commands/crank/front-end.ts";
import { type Orphaned, survey } from "../../src/supervisor/adoption/survey.ts";
import { linuxPlatform } from "../../src/supervisor/os/linux.ts";
import type { Lineage } from "../../src/supervisor/os/platform.ts";
import type { Environment, ProcessFacts, ProcessTable } from "../../src/supervisor/os/processes.ts";
import { restoreStore } from "../../src/supervisor/state/restore.ts";
import { Supervised } from "./supervised.ts";

const KEEPER = 1;
const WORKER = 100;
const ORPHAN = 202;
/** The user of the service's workers, and another one. */
const [SVC, OTHER] = [33, 34];

type Process = { readonly parent: number; readonly uids: readonly number[]; readonly environment?: Environment };
type Processes = Readonly<Record<number, Process>>;

const named = (changes: Readonly<Record<string, string>> = {}): Environment =>
  new Map(
    Object.entries({
      CRANK_NAME: "one",
      CRANK_WORKER: "1",
      CRANK_GENERATION: "1",
      EINHORN_MASTER_PID: String(KEEPER),
      ...changes,
    }),
  );

const tableOf = (processes: Processes): ProcessTable => ({
  list: () => Object.keys(processes).map(Number),
  facts: (pid): ProcessFacts | null => {
    const process = processes[pid];
    return process ? { pid, startTime: pid, group: pid, parent: process.parent, uids: process.uids } : null;
  },
  command: async () => "",
  environment: async (pid) => processes[pid]?.environment ?? null,
  descriptors: () => ({ kind: "shown", descriptors: [] }),
  accessMode: () => null,
  sockets: () => new Map(),
});

const ids = (uid: number): readonly number[] => [uid, uid, uid];

/** Whether worker 1, which runs as SVC, may declare this process its main process. */
const isFollowed = async (pid: number, processes: Processes): Promise<boolean> => {
  const all: Processes = { [WORKER]: { parent: KEEPER, uids: ids(SVC) }, ...processes };
  const lineage = (of: number): Lineage | null => {
    const process = all[of];
    return process ? { parent: process.parent, uid: process.uids[0] ?? 0 } : null;
  };
  const findUser = (name: string) => ({ name, uid: Number(name), gid: 0, groups: [] });
  const service = new Supervised({ platform: { lineage, findUser, processes: tableOf(all) } });
  await service.serve();
  await service.ask("run", { command: ["/bin/server"], user: String(SVC) });
  await service.send({ kind: "spawned", worker: 1, pid: WORKER, startTime: WORKER });
  const bytes = new TextEncoder().encode(`MAINPID=${pid}`);
  const from = { pid: WORKER, uid: SVC, gid: 0, source: 0 };
  await service.send({ kind: "datagram", worker: 1, flags: 0, descriptors: 0, bytes, ...from });
  return service.commands("followMain").some((command) => command.pid === pid && command.startTime === pid);
};

test("a worker's descendant belongs to it, whatever its environment", async () => {
  expect(
    await isFollowed(ORPHAN, { [ORPHAN]: { parent: 201, uids: ids(SVC) }, 201: { parent: WORKER, uids: ids(SVC) } }),
  ).toBe(true);
});

test("an orphan belongs to a worker if its environment and its user match", async () => {
  const orphan = { parent: KEEPER, uids: ids(SVC), environment: named() };
  expect(await isFollowed(ORPHAN, { [ORPHAN]: orphan })).toBe(true);
  expect(await isFollowed(ORPHAN, { [ORPHAN]: { ...orphan, uids: ids(OTHER) } })).toBe(false);
  expect(await isFollowed(ORPHAN, { [ORPHAN]: { ...orphan, uids: [SVC, 0, 0] } })).toBe(false);
});

test.each(["CRANK_NAME", "CRANK_WORKER", "CRANK_GENERATION", "EINHORN_MASTER_PID"])(
  "an orphan with another %s does not belong to the worker",
  async (variable) => {
    const orphan = { parent: KEEPER, uids: ids(SVC), environment: named({ [variable]: "7" }) };
    expect(await isFollowed(ORPHAN, { [ORPHAN]: orphan })).toBe(false);
  },
);

test("init's child is not an orphan of a worker whose parent is crank", async () => {
  // Pid 1 is the keeper here; 7 is another reaper.
  const stranger = { parent: 7, uids: ids(SVC), environment: named() };
  expect(await isFollowed(ORPHAN, { [ORPHAN]: stranger, 7: { parent: 0, uids: ids(0) } })).toBe(false);
});

test("an orphan of an adopted worker has the same parent as the worker", async () => {
  const adopted = { [WORKER]: { parent: 7, uids: ids(SVC) }, 7: { parent: 0, uids: ids(0) } };
  const orphan = { parent: 7, uids: ids(SVC), environment: named() };
  expect(await isFollowed(ORPHAN, { ...adopted, [ORPHAN]: orphan })).toBe(true);
  expect(await isFollowed(ORPHAN, { ...adopted, [ORPHAN]: { ...orphan, uids: ids(OTHER) } })).toBe(false);
  expect(
    await isFollowed(ORPHAN, { ...adopted, [ORPHAN]: { ...orphan, environment: named({ CRANK_NAME: "b" }) } }),
  ).toBe(false);
});

const FACTS = {
  ...{ pid: 50, version: "", startedAt: 0, realtimeOffset: 0, bootId: "", home: "/crank", cwd: "/", args: [] },
  ...{ program: "crank", fresh: false, consumed: 0, executions: 0, path: "" },
};

/** The process that is found for worker 1, whose start had just been requested when keeper 50 was killed. */
const found = async (processes: Processes): Promise<number | undefined> => {
  const service = new Supervised({});
  await service.serve();
  await service.ask("run", { command: ["/bin/server"] });
  const puts = service.batches.flat().flatMap((command) => (command.kind === "put" ? [command] : []));
  const entries = new Map(puts.map(({ key, value }) => [key, Buffer.from(value)]));
  const { settings, core, sockets } = restoreStore(
    { platform: linuxPlatform(() => 0), frontEnd: CRANK, facts: FACTS },
    entries,
  );
  if (!settings) throw new Error("it does not serve");
  const left: Orphaned = { pid: 50, settings, core, sockets, unstarted: [], keeperOf: () => 50 };
  const looker = { pid: 0, uid: SVC, binds: settings.binds, handleOf: (bind: number) => bind };
  return (await survey(tableOf(processes), left, looker)).workers[0]?.pid;
};

test("an unfinished start is found by its environment among the processes of its user", async () => {
  const environment = named({ LISTEN_PID: String(ORPHAN), EINHORN_MASTER_PID: "50" });
  expect(await found({ [ORPHAN]: { parent: 1, uids: ids(SVC), environment } })).toBe(ORPHAN);
  expect(await found({ [ORPHAN]: { parent: 1, uids: ids(OTHER), environment } })).toBeUndefined();
  expect(await found({ [ORPHAN]: { parent: 1, uids: [OTHER, SVC, SVC], environment } })).toBeUndefined();
  const another = named({ LISTEN_PID: String(ORPHAN), EINHORN_MASTER_PID: "51" });
  expect(await found({ [ORPHAN]: { parent: 1, uids: ids(SVC), environment: another } })).toBeUndefined();
});

test("the remaining processes of an unfinished start are found after its main process has exited", async () => {
  const main = 150;
  const environment = named({ LISTEN_PID: String(main), EINHORN_MASTER_PID: "50" });
  expect(await found({ [ORPHAN]: { parent: 1, uids: ids(SVC), environment } })).toBe(main);
  expect(await found({ [ORPHAN]: { parent: 1, uids: ids(OTHER), environment } })).toBeUndefined();
  const nonsense = named({ LISTEN_PID: "-3", EINHORN_MASTER_PID: "50" });
  expect(await found({ [ORPHAN]: { parent: 1, uids: ids(SVC), environment: nonsense } })).toBeUndefined();
});
