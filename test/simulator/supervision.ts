// The simulated keeper's supervisors, one after the other: started, given time to answer, let go, blamed for their deaths
// and started again after a pause. What they say is not heard here.
import { encodeMessages } from "../../src/keeper/frames.ts";
import type { Greeting, Message } from "../../src/keeper/protocol.ts";
import type { EventQueue } from "./events.ts";
import type { Ending } from "./workers.ts";
import type { SimulatedSupervisor, SimulatedWorld } from "./world.ts";

type State = "asleep" | "starting" | "attached" | "leaving" | "pausing" | "over";
/** How a supervisor ended; `fromOutside` if nobody but somebody else can be blamed. */
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
  /** Forgets what the last one had begun to say. */
  readonly forget: () => void;
  /** It was ended for being too slow. */
  readonly ended: (death: Death) => void;
  /** The one that took the other's place has sent its first batch. */
  readonly settled: () => void;
  /** It has ended before that. */
  readonly kept: (death: Death) => void;
};

export class SimulatedSupervision {
  readonly #world: SimulatedWorld;
  readonly #events: EventQueue;
  readonly #hooks: Hooks;
  #state: State = "asleep";
  #supervisor: SimulatedSupervisor | null = null;
  #hasAttached = false;
  /** It was the candidate, and has sent no batch yet. */
  #isUnsettled = false;
  #oneAtATime = false;
  #crashes = 0;
  #failedStarts = 0;
  #stuckDeaths = 0;
  #consumedAtStart = 0;
  /** Raised with each new time limit, so that an old one passes unnoticed. */
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
  /** How many have died since one slept. */
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

  /** Lets another one take this one's place. */
  replace(): void {
    if (this.#state === "over") return;
    this.#drop();
    this.#isUnsettled = true;
    this.start();
  }

  /** The keeper is another one from here on, which starts a supervisor of its own. */
  execute(): void {
    this.#drop();
    this.#isUnsettled = false;
    this.start();
  }

  /** It has consumed what it was going to. */
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

  /** Lets it sleep. */
  release(): void {
    this.#state = "leaving";
    this.#limitTime();
    this.#tell([{ kind: "sleep" }]);
  }

  /** Gives it the events that it has not been given: all of them, or one at a time. */
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

  /** Ends it for what it said, or did not say. */
  kill(): void {
    this.#supervisor?.kill();
    this.#hooks.ended({ ending: 1, status: SIGKILL, fromOutside: false });
  }

  /** It has ended. */
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

  /** The keeper is gone, and so is it. */
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

  /** It has to answer within the time limit from now on. */
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
