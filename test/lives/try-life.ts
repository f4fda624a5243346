// The life of one seed. Odd seeds are run twice, undisturbed and with the supervisor killed, and the results must be
// equal. Even seeds are run once, with kills that have visible effects. One of six seeds is of a crank that counts
// attempts per worker.
import { CRANK } from "../../src/commands/crank/front-end.ts";
import { Broken, type Killing, type Life } from "./crank/life.ts";
import { CRANK_BY_PLACES, live } from "./crank/world.ts";

export type Outcome =
  | { readonly kind: "sound"; readonly kills: number; readonly steps: number }
  | { readonly kind: "broken"; readonly killing: Killing; readonly message: string; readonly trace: readonly string[] };

/** One odd and one even remainder of the seed by 12. */
const BY_PLACES: ReadonlySet<number> = new Set([0, 7]);

/** Whether a seed's life fails, and how. */
export const tryLife = async (seed: number): Promise<Outcome> => {
  const frontEnd = BY_PLACES.has(seed % 12) ? CRANK_BY_PLACES : CRANK;
  let killing: Killing = seed % 2 === 0 ? "anywhere" : "never";
  try {
    const life = await live(seed, killing, frontEnd);
    if (killing === "anywhere") return { kind: "sound", kills: life.kills, steps: life.events };
    killing = "unnoticed";
    const killed = await live(seed, killing, frontEnd);
    const difference = differenceOf(life, killed);
    if (difference !== null) throw difference;
    return { kind: "sound", kills: killed.kills, steps: life.events + killed.events };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { kind: "broken", killing, message: error.message, trace: error.trace };
  }
};

/** The difference between two lives; null: none. */
export const differenceOf = (one: Life, other: Life): Broken | null => {
  const at = one.commands.findIndex((command, index) => command !== other.commands[index]);
  const place = at < 0 && one.commands.length < other.commands.length ? one.commands.length : at;
  const trace = (life: Life): string[] => life.commands.slice(Math.max(0, place - 5), place + 3);
  if (place >= 0)
    return new Broken("what was done is not the same", ["undisturbed:", ...trace(one), "disturbed:", ...trace(other)]);
  if (one.record !== other.record) return new Broken("the record is not the same", [one.record, other.record]);
  return one.status === other.status
    ? null
    : new Broken(`the exit status is not the same: ${one.status}, ${other.status}`, []);
};
