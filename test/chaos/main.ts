// Chaos by hand, for any length of time: `make chaos SEED=N SECONDS=S`; WITHOUT="disk kill-worker" leaves kinds out.
import { runChaos } from "./chaos.ts";
import { describeOutcome } from "./outcome.ts";

const [seedWord, secondsWord, withoutWords = ""] = process.argv.slice(2);
const seed = Number(seedWord || Math.floor(Math.random() * 2 ** 31));
const seconds = Number(secondsWord || 60);
console.log(`chaos from seed ${seed} for ${seconds} s`);
const outcome = await runChaos({ seed, seconds, without: withoutWords.split(" ") });
console.log(describeOutcome(outcome, seed));
process.exitCode = outcome.faults.length > 0 ? 1 : 0;
