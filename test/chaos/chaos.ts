// Chaos: random orders and random faults under load, all derived from one seed. No client is refused; only connections that
// killed workers held are lost; every answer comes from a version that serves; the history is right; and no process runs
// that the service does not know.
import { waitFor } from "../e2e/harness/wait.ts";
import { Random } from "../lives/random.ts";
import { Clients } from "./clients.ts";
import { Disturbances, type Effect } from "./disturbances.ts";
import { type Order, Orders } from "./orders.ts";
import { parentOf, Stage } from "./stage.ts";
import { type GoodRun, Truth } from "./truth.ts";

export type ChaosOptions = {
  readonly seed: number;
  readonly seconds: number;
  /** Kinds of disturbances to leave out. */
  readonly without?: readonly string[];
};
export type Outcome = {
  /** What went wrong; empty if nothing did. */
  readonly faults: readonly string[];
  readonly log: readonly string[];
  readonly steps: number;
  readonly counts: Clients["counts"];
};

const FRESH_CLIENTS = 15;
const STAYING_CLIENTS = 40;
const LONGEST_DELAY_MS = 300;
/** How many steps the disk may stay full. */
const FULL_STEPS = 3;

class Wrong extends Error {}

export const runChaos = async ({ seed, seconds, without = [] }: ChaosOptions): Promise<Outcome> => {
  const random = new Random(seed);
  const truth = new Truth();
  const stage = await Stage.open();
  const orders = new Orders(stage, truth, random);
  const disturbances = new Disturbances(stage, truth, random, without);
  const faults: string[] = [];
  let clients: Clients | null = null;
  let steps = 0;
  try {
    await step(stage, truth, orders.deploy(2));
    clients = new Clients({ port: stage.port, truth, fresh: FRESH_CLIENTS, staying: STAYING_CLIENTS });
    let fullSince = 0;
    for (; truth.now() < seconds * 1000 && clients.faults.length === 0; steps++) {
      const order = orders.next();
      const disturbance = disturbances.next();
      const delayMs = random.between(0, LONGEST_DELAY_MS);
      truth.log(`${order.words}; after ${delayMs} ms: ${disturbance.words}`);
      const wasFull = disturbances.isDiskFull;
      const happening = async (): Promise<Effect> => {
        await Bun.sleep(delayMs);
        await disturbance.happen();
        return wasFull && disturbance.effect !== "answer" ? "outcome" : disturbance.effect;
      };
      await step(stage, truth, order, happening);
      if (!disturbances.isDiskFull) fullSince = steps;
      else if (steps - fullSince >= FULL_STEPS) disturbances.freeDisk();
    }
    disturbances.freeDisk();
    await settled(stage, truth);
    await clients.stop();
    faults.push(...clients.faults);
    await shutDown(stage);
  } catch (error) {
    faults.push(...(clients?.faults ?? []), String(error));
  } finally {
    if (faults.length > 0) truth.log(`crank said:\n${(stage.said + stage.crank.stderr()).slice(-8000)}`);
    await stage.close();
    await clients?.stop();
  }
  const counts = clients?.counts ?? { answered: 0, talks: 0, drained: 0, excused: 0 };
  return { faults, log: truth.lines, steps, counts };
};

/** One order and the disturbances beside it; afterwards the state must match the order's outcome. */
const step = async (
  stage: Stage,
  truth: Truth,
  order: Order,
  happening: () => Promise<Effect> = async () => "nothing",
): Promise<void> => {
  const before = truth.history;
  const served = truth.current ? [truth.current.version] : [];
  truth.serves(...served, ...order.versions);
  const [ended, effect] = await Promise.all([order.carryOut(), happening()]);
  const said = `${ended.stdout}${ended.stderr}`.trim().split("\n").at(-1);
  truth.log(`  ended with ${ended.status}: ${said}`);
  const allowed = outcomes(order, effect, ended.status, before);
  if (allowed.length === 0)
    throw new Wrong(`"${order.words}" ended with ${ended.status}: ${ended.stdout}${ended.stderr}`);
  truth.history = await settledHistory(stage, truth, allowed);
  truth.instances = await settled(stage, truth);
  const wanted = ended.status === 0 && effect !== "answer" ? order.instances : null;
  if (wanted !== null && truth.instances !== wanted)
    throw new Wrong(`${wanted} workers are wanted, and crank wants ${truth.instances}`);
  truth.serves(...(truth.current ? [truth.current.version] : []));
};

/** The histories that are possible after this outcome of an order. */
const outcomes = (
  order: Order,
  effect: Effect,
  status: number | null,
  before: readonly GoodRun[],
): readonly (readonly GoodRun[])[] => {
  if (effect === "answer") return order.after === null ? [before] : [before, order.after];
  if (status === 0) return order.after === null ? [] : [order.after];
  const mayFail = order.after === null || effect === "outcome" || (effect === "upgrade" && order.isUpgrade);
  return mayFail ? [before] : [];
};

/** Waits until no rollout is in progress; returns which of the allowed histories it is. */
const settledHistory = async (
  stage: Stage,
  truth: Truth,
  allowed: readonly (readonly GoodRun[])[],
): Promise<readonly GoodRun[]> => {
  await waitFor("the end of the rollout", async () => (await stage.status()).rollout === null);
  const seen = await stage.history();
  const runs = seen.map(({ command, instances }) => ({ version: command.at(-1) ?? "", instances }));
  const generations = seen.map(({ generation }) => generation);
  const isSame = (history: readonly GoodRun[]): boolean => describe(history) === describe(runs);
  const found = allowed.find(isSame);
  if (!found) throw new Wrong(`the history is ${describe(runs)}, and should be ${allowed.map(describe).join(", or ")}`);
  if (generations.some((generation, index) => generation <= (generations[index - 1] ?? 0)))
    throw new Wrong(`the generations of the history are ${generations.join(" ")}`);
  if (truth.current === undefined && found.length === 0) throw new Wrong("nothing was deployed");
  return found;
};

const describe = (history: readonly GoodRun[]): string =>
  history.map(({ version, instances }) => `${version}×${instances}`).join(" ");

/** Waits until exactly the wanted workers run, all of one generation, and no other process of the service. */
const settled = async (stage: Stage, truth: Truth): Promise<number> => {
  let trouble = "";
  const look = async (): Promise<number | null> => {
    const { rollout, workers, instances, generation } = await stage.status();
    const odd = workers.filter((worker) => worker.state !== "ready" || worker.generation !== generation);
    trouble = JSON.stringify({ rollout, wanted: instances, workers: workers.length, odd });
    if (rollout !== null || workers.length !== instances || odd.length > 0) return null;
    const known = new Set(workers.flatMap(({ pid }) => (pid === null ? [] : [pid])));
    const strangers = [...stage.processes()].filter(([pid]) => !known.has(pid) && !known.has(parentOf(pid)));
    trouble = JSON.stringify({ strangers });
    return strangers.length === 0 ? instances : null;
  };
  return waitFor("the service to settle", look).catch((error: unknown) => {
    truth.log(`  not settled: ${trouble}`);
    throw new Wrong(`${error}: ${trouble}`);
  });
};

const shutDown = async (stage: Stage): Promise<void> => {
  const { status, stderr } = await stage.ctl("shutdown", "-wait");
  if (status !== 0) throw new Wrong(`crankctl shutdown: ${stderr}`);
  await stage.crank.ended;
  const left = [...stage.processes()].map(([pid, what]) => `${pid} ${what}`);
  if (left.length > 0) throw new Wrong(`left running after the shutdown: ${left.join(", ")}`);
};
