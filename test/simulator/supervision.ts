// The simulated keeper's supervisors, one after the other: started, given time limits, released, blamed for crashes,
// and restarted after a pause. Their commands are handled elsewhere.
import { encodeMessages } from "../../src/keeper/frames.ts";
import type { Greeting, Message } from "../../src/keeper/protocol.ts";
import type { EventQueue } from "./events.ts";
import type { Ending } from "./workers.ts";
import type { SimulatedSupervisor, SimulatedWorld } from "./world.ts";

type State = "asleep" | "starting" | "attached" | "leaving" | "pausing" | "over";
/** How a supervisor ended; `fromOutside`: by something outside of it, so that no event is to blame. */
export type Death = Ending & { readonly fromOutside: boolean };

const ANSWER_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
const DEATHS_WITHOUT_PROGRESS = 3;
const BLAMED_TOO_OFTEN = 3;
const SIGKILL = 9;

/** What the keeper does for it. */
export type Hooks = {
  readonly hello: () => readonly Greeting[];
  /** Forgets an incomplete batch of the last one. */
  readonly forget: () => void;
  /** It was killed for being too slow. */
  readonly ended: (death: Death) => void;
  /** The replacement has sent its first batch. */
  readonly settled: () => void;
  /** The replacement has ended before that. */
  readonly kept: (death: Death) => void;
};

export class SimulatedSupervision {
  readonly #world: SimulatedWorld;
  readonly #events: EventQueue;
  readonly #hooks: Hooks;
  #state: State = "asleep";
  #supervisor: SimulatedSupervisor | null = null;
  #hasAttached = false;
  /** It is a replacement that has not sent a batch yet. */
  #isUnsettled = false;
  #oneAtATime = false;
  #crashes = 0;
  #failedStarts = 0;
  #stuckDeaths = 0;
  #consumedAtStart = 0;
  /** Raised with each new time limit, so that an old one has no effect. */
  #limit = 0;
  #owes = false;

  constructor(world: SimulatedWorld, events: EventQueue, hooks: Hooks) {
    this.#world = world;
    this.#events = events;
    this.#hooks = hooks;
  }

  get state(): State {
    return this.#state;
  }
  get hasAttached(): boolean {
    return this.#hasAttached;
  }
  get isThere(): boolean {
    return this.#supervisor !== null;
  }
  /** How many have died since one ended normally. */
  get crashes(): number {
    return this.#crashes;
  }

  start(): void {
    this.#state = "starting";
    this.#hasAttached = false;
    this.#hooks.forget();
    this.#consumedAtStart = this.#events.consumed;
    this.#events.rewind();
    this.#limitTime();
    this.#supervisor = this.#world.startSupervisor();
    this.#tell(this.#hooks.hello());
  }

  attach(): void {
    this.#hasAttached = true;
    this.#state = "attached";
    this.#failedStarts = 0;
    this.#answered();
  }

  /** Replaces this supervisor by the new one. */
  replace(): void {
    if (this.#state === "over") return;
    this.#drop();
    this.#isUnsettled = true;
    this.start();
  }

  /** The keeper re-executed itself: the new one starts its own supervisor. */
  execute(): void {
    this.#drop();
    this.#isUnsettled = false;
    this.start();
  }

  /** The supervisor has committed a batch. */
  committed(): void {
    if (this.#isUnsettled) {
      this.#isUnsettled = false;
      this.#crashes = 0;
      this.#hooks.settled();
    }
    if (this.#events.consumed > this.#consumedAtStart) {
      this.#stuckDeaths = 0;
      this.#oneAtATime = false;
    }
    this.#answered();
  }

  /** Lets the supervisor end. */
  release(): void {
    this.#state = "leaving";
    this.#limitTime();
    this.#tell([{ kind: "sleep" }]);
  }

  /** Delivers outstanding events to the supervisor: all of them, or one at a time. */
  deliver(): void {
    const events: Message[] = [];
    while (!this.#oneAtATime || this.#events.delivered <= this.#events.consumed) {
      const event = this.#events.deliver();
      if (!event) break;
      events.push(event);
    }
    if (!this.#owes && this.#events.delivered > this.#events.consumed) this.#limitTime();
    if (events.length > 0) this.#tell(events);
  }

  /** Kills it for a wrong command, or for no answer. */
  kill(): void {
    this.#supervisor?.kill();
    this.#hooks.ended({ ending: 1, status: SIGKILL, fromOutside: false });
  }

  /** The supervisor has ended. */
  ended(death: Death): void {
    const before = this.#state;
    this.#supervisor = null;
    this.#owes = false;
    this.#hooks.forget();
    if (this.#isUnsettled) {
      this.#isUnsettled = false;
      this.#hooks.kept(death);
      return this.start();
    }
    if (before === "leaving" && death.ending === 0) {
      this.#crashes = 0;
      this.#state = "asleep";
      return;
    }
    this.#crashes += 1;
    if (this.#hasAttached) this.#died(death);
    else this.#pause(++this.#failedStarts);
  }

  /** The keeper is gone, and its supervisor with it. */
  end(): void {
    this.#state = "over";
    this.#supervisor?.kill();
    this.#supervisor = null;
  }

  #drop(): void {
    this.#supervisor?.kill();
    this.#supervisor = null;
    this.#owes = false;
  }

  #tell(messages: readonly (Greeting | Message)[]): void {
    this.#supervisor?.receive(encodeMessages(messages));
  }

  /** The supervisor must answer within the time limit from now on. */
  #limitTime(): void {
    this.#owes = true;
    this.#limit += 1;
    const limit = this.#limit;
    this.#world.after(ANSWER_MS, () => {
      if (this.#owes && limit === this.#limit && this.#supervisor) this.kill();
    });
  }

  #answered(): void {
    this.#owes = false;
    if (this.#events.delivered > this.#events.consumed) this.#limitTime();
  }

  #pause(failures: number): void {
    this.#state = "pausing";
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
    this.#world.after(pause, () => {
      if (this.#state === "pausing") this.start();
    });
  }

  #died({ ending, status, fromOutside }: Death): void {
    const lastEvent = this.#events.delivered;
    if (!fromOutside) this.#blame();
    if (!this.#events.has("supervisorDied")) this.#events.post({ kind: "supervisorDied", ending, status, lastEvent });
    if (!fromOutside && this.#stuckDeaths > DEATHS_WITHOUT_PROGRESS)
      this.#pause(this.#stuckDeaths - DEATHS_WITHOUT_PROGRESS);
    else this.start();
  }

  #blame(): void {
    this.#stuckDeaths = this.#events.consumed > this.#consumedAtStart ? 1 : this.#stuckDeaths + 1;
    const times = this.#events.blameFirst();
    if (times >= 2) this.#oneAtATime = true;
    if (times >= BLAMED_TOO_OFTEN && this.#events.setFirstAside()) this.#stuckDeaths = 1;
  }
}
