// What a simulated life is asked for, and what it results in.

/**
 * `never`: the supervisor is undisturbed. `unnoticed`: it is killed with SIGKILL between any two steps and replaced at
 * once, so the result must be the same. `anywhere`: it is also killed before it has attached, crashes, or hangs until
 * its time limit; then only the outcome counts.
 */
export type Killing = "never" | "unnoticed" | "anywhere";

/** The result of a life. */
export type Life = {
  /**
   * All commands that the keeper carried out, as text, except for the log and for what deaths and upgrades do and
   * report.
   */
  readonly commands: readonly string[];
  readonly record: string;
  readonly status: number | null;
  readonly kills: number;
  readonly events: number;
};

/** An invariant was violated. */
export class Broken extends Error {
  override readonly name = "Broken";
  readonly trace: readonly string[];
  constructor(message: string, trace: readonly string[]) {
    super(message);
    this.trace = trace;
  }
}

/** SIGUSR1 at these steps of a life. `keeper`: each time the keeper's program differs too. */
export type Upgrading = { readonly at: readonly number[]; readonly keeper: boolean };
export const NO_UPGRADES: Upgrading = { at: [], keeper: false };
