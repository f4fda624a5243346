// A minute of chaos from a random seed, or from CRANK_CHAOS_SEED. A failure prints the seed and everything that was done.
import { test } from "bun:test";
import { runChaos } from "./chaos.ts";
import { describeOutcome } from "./outcome.ts";

const SECONDS = 60;
const TIMEOUT_MS = 400_000;

test(
  `${SECONDS} s of deploys, kills, stops and full disks under load refuse no connection, lose nothing, and leave nothing behind`,
  async () => {
    const seed = Number(process.env.CRANK_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const outcome = await runChaos({ seed, seconds: SECONDS });
    console.log(describeOutcome(outcome, seed));
    if (outcome.faults.length > 0) throw new Error(`seed ${seed}: ${outcome.faults[0]}`);
  },
  TIMEOUT_MS,
);
