// Lives with an upgrade at every event, of the supervisor alone and of the keeper too. Some of the upgrades fail.
// Effects on workers, clients and record, and their times, must be the same as without.
import { expect, test } from "bun:test";
import { CRANK } from "../../src/commands/crank/front-end.ts";
import { Broken, type Life, type Upgrading } from "./crank/life.ts";
import { live } from "./crank/world.ts";
import { livesToLive } from "./lives-count.ts";
import { Random } from "./random.ts";
import { differenceOf } from "./try-life.ts";

const LIVES_AT_EVERY_EVENT = 8;
/** A life with twice the events takes four times as long: longer ones are left to the other tests. */
const MOST_EVENTS = livesToLive(100);
const SEEDS_AT_SOME = livesToLive(40);
const UPGRADES_AT_SOME = 4;
const TRACED_LINES = 40;
const TIMEOUT_MS = 900_000;

const upgraded = async (seed: number, upgrading: Upgrading, alone: Life): Promise<void> => {
  try {
    const life = await live(seed, "never", CRANK, upgrading);
    const difference = differenceOf(alone, life);
    if (difference !== null) throw difference;
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    const trace = error.trace.slice(-TRACED_LINES).map((line) => line.slice(0, 300));
    throw new Error(`seed ${seed}, upgraded at ${upgrading.at}: ${error.message}\n${trace.join("\n")}`);
  }
};

test(
  `an upgrade at every event changes nothing that a whole crank does, in ${LIVES_AT_EVERY_EVENT} lives`,
  async () => {
    let upgrades = 0;
    for (let seed = 1, lives = 0; lives < LIVES_AT_EVERY_EVENT; seed++) {
      const alone = await live(seed, "never");
      if (alone.events > MOST_EVENTS) continue;
      lives += 1;
      for (let at = 1; at <= alone.events; at++, upgrades++)
        await upgraded(seed, { at: [at], keeper: (seed + at) % 2 === 0 }, alone);
    }
    expect(upgrades).toBeGreaterThan(LIVES_AT_EVERY_EVENT * 10);
  },
  TIMEOUT_MS,
);

test(
  `nor do ${UPGRADES_AT_SOME} of them anywhere, in ${SEEDS_AT_SOME} lives`,
  async () => {
    for (let seed = 1; seed <= SEEDS_AT_SOME; seed++) {
      const alone = await live(seed, "never");
      const random = new Random(seed ^ 0x7777);
      const at = Array.from({ length: UPGRADES_AT_SOME }, () => random.between(1, alone.events));
      await upgraded(seed, { at, keeper: random.chance(0.5) }, alone);
    }
  },
  TIMEOUT_MS,
);

test(
  `nor do supervisors that are killed in the middle of them break anything, in ${SEEDS_AT_SOME} lives`,
  async () => {
    for (let seed = 1; seed <= SEEDS_AT_SOME; seed++) {
      const { events } = await live(seed, "never");
      const random = new Random(seed ^ 0x3333);
      const at = Array.from({ length: UPGRADES_AT_SOME }, () => random.between(1, events));
      await live(seed, "anywhere", CRANK, { at, keeper: random.chance(0.5) });
    }
  },
  TIMEOUT_MS,
);
