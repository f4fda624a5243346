// What the world of a simulated crank knows about descriptors that its workers store: each goes to one worker that
// becomes ready, and until then to one living worker at a time.

import { FIRST_STORED_HANDLE } from "../../../src/supervisor/workers/start/stored-descriptors.ts";
import type { CommandOf } from "../../simulator/world.ts";

type Left = {
  readonly name: string;
  /** The last worker that was started with it. */
  lentTo: number | null;
  isTaken: boolean;
};

export class LeftDescriptors {
  readonly #byHandle = new Map<number, Left>();
  readonly #isAlive: (worker: number) => boolean;
  readonly #hasSaidReady: (worker: number) => boolean;
  #names = 0;

  constructor(isAlive: (worker: number) => boolean, hasSaidReady: (worker: number) => boolean) {
    this.#isAlive = isAlive;
    this.#hasSaidReady = hasSaidReady;
  }

  /** The message of a worker that stores one more: sent with it, or by its number. */
  say(how: "sent" | "numbered"): Uint8Array {
    this.#names += 1;
    const number = how === "numbered" ? `\nFDNUMBER=${this.#names}` : "";
    return new TextEncoder().encode(`FDSTORE=1\nFDNAME=left-${this.#names}${number}`);
  }

  /** Notes a start. Returns what is wrong with it, or null. */
  started({ worker, descriptors, env }: CommandOf<"spawn">): string | null {
    const names = env.find(([name]) => name === "LISTEN_FDNAMES")?.[1].split(":") ?? [];
    const handles = descriptors.filter((_, index) => index % 2 === 0);
    for (const [index, handle] of handles.entries()) {
      if (handle < FIRST_STORED_HANDLE) continue;
      const name = names[index] ?? "";
      const left = this.#byHandle.get(handle) ?? { name, lentTo: null, isTaken: false };
      if (left.name !== name) return `the descriptor ${left.name} was given as ${name}`;
      if (left.isTaken) return `the descriptor ${name} was given to worker ${worker}, and was another's already`;
      if (left.lentTo !== null && this.#isAlive(left.lentTo))
        return `the descriptor ${name} is with the workers ${left.lentTo} and ${worker} at once`;
      this.#byHandle.set(handle, { ...left, lentTo: worker });
    }
    return null;
  }

  /** Crank closes a descriptor: it now belongs to the worker that got it. Returns what is wrong with that, or null. */
  closed(handle: number): string | null {
    if (handle < FIRST_STORED_HANDLE) return null;
    const left = this.#byHandle.get(handle);
    if (!left) return `the descriptor ${handle} was given to no worker and is closed`;
    left.isTaken = true;
    const isSafe = left.lentTo !== null && this.#hasSaidReady(left.lentTo);
    return isSafe ? null : `the descriptor ${left.name} is closed before who has it was ready`;
  }

  /**
   * Compares with the journal: descriptors that were stored and not taken must be there. Returns what is lost, or null.
   */
  lost(isKept: (handle: number) => boolean): string | null {
    for (const [handle, { name, isTaken }] of this.#byHandle)
      if (!isTaken && !isKept(handle)) return `the descriptor ${name} is lost`;
    return null;
  }
}
