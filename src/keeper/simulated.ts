// A keeper without a kernel: it speaks the same frames and keeps the same rules in a world of virtual time, so that the
// whole supervisor can be run against it, killed between any two steps and started again. The conformance tests hold it
// against the real one.
import { FrameError } from "./frame-plans.ts";
import { CommandDecoder, encodeMessages } from "./frames.ts";
import { COMMANDS, type Command, type Greeting, LIMITS, type Message, PROTOCOL_VERSION } from "./protocol.ts";
import { EventQueue, type Happening } from "./simulated-events.ts";
import { SimulatedStreams } from "./simulated-streams.ts";
import { type Ending, SimulatedWorkers } from "./simulated-workers.ts";
import type { CommandOf, Failing, SimulatedSupervisor, SimulatedWorld } from "./simulated-world.ts";

export type SimulatedFacts = {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly realtimeOffset: number;
};

type Supervision = "asleep" | "starting" | "attached" | "leaving" | "pausing" | "over";

const ANSWER_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
const DEATHS_WITHOUT_PROGRESS = 3;
const BLAMED_TOO_OFTEN = 3;
const EBADF = 9;
const SIGKILL = 9;

export class SimulatedKeeper {
  readonly #world: SimulatedWorld;
  readonly #facts: SimulatedFacts;
  readonly #events: EventQueue;
  readonly #workers: SimulatedWorkers;
  readonly #streams: SimulatedStreams;
  readonly #journal = new Map<string, Uint8Array>();
  readonly #handles = new Map<number, Uint8Array>();
  readonly #startedAt: number;

  #state: Supervision = "asleep";
  #supervisor: SimulatedSupervisor | null = null;
  #decoder = new CommandDecoder();
  #batch: Command[] = [];
  #batchBytes = 0;
  #hasAttached = false;
  #oneAtATime = false;
  #crashes = 0;
  #failedStarts = 0;
  #stuckDeaths = 0;
  #consumedAtStart = 0;
  #tickAt = 0;
  /** Raised with each new time limit, so that an old one passes unnoticed. */
  #limit = 0;
  #owes = false;
  #barriers: { readonly token: number; readonly start: number }[] = [];
  #exit: CommandOf<"exit"> | null = null;

  constructor(world: SimulatedWorld, facts: SimulatedFacts) {
    this.#world = world;
    this.#facts = facts;
    this.#startedAt = world.now();
    const post = (happening: Happening): void => this.#events.post(happening);
    this.#workers = new SimulatedWorkers(world, post);
    this.#streams = new SimulatedStreams(world, post);
    this.#events = new EventQueue(world.now, (gone) => {
      if (gone.kind === "exited" || gone.kind === "spawnFailed") this.#workers.endConsumed(gone.worker);
    });
  }

  /** Starts the first supervisor. */
  start(): void {
    this.#startSupervisor();
  }

  // What happens to it -------------------------------------------------------------------------------------------------

  /** Bytes from the supervisor, as many as came. */
  hear(bytes: Uint8Array): void {
    if (this.#state !== "starting" && this.#state !== "attached") return;
    this.#batchBytes += bytes.length;
    let commands: readonly Command[];
    try {
      commands = this.#decoder.push(bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return this.#killSupervisor();
    }
    for (const command of commands) this.#take(command);
    this.#attend();
  }

  /** The supervisor ended by itself (`status`), or of a signal; `fromOutside` if nobody but somebody else can be blamed. */
  supervisorEnded(how: Ending & { readonly fromOutside: boolean }): void {
    if (this.#state === "over") return;
    const before = this.#state;
    this.#letGo();
    if (before === "leaving" && how.ending === 0) {
      this.#crashes = 0;
      this.#state = "asleep";
    } else {
      this.#crashes += 1;
      if (this.#hasAttached) this.#died(how);
      else this.#pause(++this.#failedStarts);
    }
    this.#attend();
  }

  signalled(signal: number, pid = 0, uid = 0): void {
    this.#happen(() => this.#events.post({ kind: "signalled", signal, pid, uid }));
  }
  processStarted(worker: number, pid: number, startTime: number): void {
    this.#happen(() => this.#workers.started(worker, pid, startTime));
  }
  processNotStarted(worker: number, failing: Failing): void {
    this.#happen(() => this.#workers.notStarted(worker, failing));
  }
  processSays(worker: number, line: string): void {
    this.#workers.say(worker, line);
  }
  processNotifies(
    worker: number,
    bytes: Uint8Array,
    sender: { readonly pid: number; readonly uid: number; readonly gid: number },
  ): void {
    this.#happen(() => this.#workers.datagram(worker, bytes, sender));
  }
  processExited(worker: number, ending: Ending): void {
    this.#happen(() => this.#workers.exited(worker, ending));
  }
  /** A client connects to the listening handle; the connection's number. */
  clientConnects(listener: number, peer = { pid: 1, uid: 0, gid: 0 }): number {
    return this.#streams.connect(listener, peer);
  }
  clientSends(connection: number, bytes: Uint8Array): void {
    this.#happen(() => this.#streams.receive(connection, bytes));
  }
  clientHangsUp(connection: number): void {
    this.#happen(() => this.#streams.hangUp(connection));
  }

  /** How many workers are not gone. */
  get workersAlive(): number {
    return this.#workers.alive;
  }
  get isAsleep(): boolean {
    return this.#state === "asleep";
  }
  /** A key's value in the journal. */
  journalled(key: string): Uint8Array | undefined {
    return this.#journal.get(key);
  }
  get journalKeys(): readonly string[] {
    return [...this.#journal.keys()];
  }

  #happen(what: () => void): void {
    if (this.#state === "over") return;
    what();
    this.#attend();
  }

  // The supervisor's life ----------------------------------------------------------------------------------------------

  /** Between any two things: what has to be told is told, and who is needed is started. */
  #attend(): void {
    this.#checkBarriers();
    this.#considerTick();
    if (this.#state === "asleep" && this.#events.outstanding > 0) this.#startSupervisor();
    if (this.#state === "attached") this.#deliver();
  }

  #startSupervisor(): void {
    this.#state = "starting";
    this.#hasAttached = false;
    this.#decoder = new CommandDecoder();
    this.#consumedAtStart = this.#events.consumed;
    this.#events.rewind();
    this.#limitTime();
    const supervisor = this.#world.startSupervisor();
    this.#supervisor = supervisor;
    supervisor.receive(encodeMessages(this.#hello()));
  }

  #hello(): Greeting[] {
    const { args, cwd, realtimeOffset } = this.#facts;
    return [
      {
        kind: "hello",
        protocol: PROTOCOL_VERSION,
        version: "simulated",
        pid: 1,
        startedAt: this.#startedAt,
        now: this.#world.now(),
        realtimeOffset,
        bootId: "simulated",
        home: "/",
        cwd,
        args,
        program: "crank",
        fresh: this.#journal.size === 0 ? 1 : 0,
        crashes: this.#crashes,
        consumed: this.#events.consumed,
        executions: 0,
      },
      ...[...this.#journal].map(([key, value]) => ({ kind: "helloEntry" as const, key, value })),
      ...this.#workers.hello(),
      ...[...this.#handles].map(([handle, address]) => ({ kind: "helloHandle" as const, handle, address })),
      ...this.#streams.hello(),
      { kind: "helloEnd", outstanding: this.#events.outstanding },
    ];
  }

  #deliver(): void {
    const events: Message[] = [];
    while (!this.#oneAtATime || this.#events.delivered <= this.#events.consumed) {
      const event = this.#events.deliver();
      if (!event) break;
      events.push(event);
    }
    if (!this.#owes && this.#events.delivered > this.#events.consumed) this.#limitTime();
    if (events.length > 0) this.#supervisor?.receive(encodeMessages(events));
  }

  /** It has to answer within the time limit from now on. */
  #limitTime(): void {
    this.#owes = true;
    this.#limit += 1;
    const limit = this.#limit;
    this.#world.after(ANSWER_MS, () => {
      if (this.#owes && limit === this.#limit && this.#supervisor) this.#killSupervisor();
    });
  }

  #answered(): void {
    this.#owes = false;
    if (this.#events.delivered > this.#events.consumed) this.#limitTime();
  }

  #killSupervisor(): void {
    this.#supervisor?.kill();
    this.supervisorEnded({ ending: 1, status: SIGKILL, fromOutside: false });
  }

  #letGo(): void {
    this.#supervisor = null;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#owes = false;
  }

  #pause(failures: number): void {
    this.#state = "pausing";
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
    this.#world.after(pause, () => {
      if (this.#state === "pausing") this.#startSupervisor();
    });
  }

  #died({ ending, status, fromOutside }: Ending & { readonly fromOutside: boolean }): void {
    const lastEvent = this.#events.delivered;
    if (!fromOutside) this.#blame();
    if (!this.#events.has("supervisorDied")) this.#events.post({ kind: "supervisorDied", ending, status, lastEvent });
    if (!fromOutside && this.#stuckDeaths > DEATHS_WITHOUT_PROGRESS)
      this.#pause(this.#stuckDeaths - DEATHS_WITHOUT_PROGRESS);
    else this.#startSupervisor();
  }

  #blame(): void {
    this.#stuckDeaths = this.#events.consumed > this.#consumedAtStart ? 1 : this.#stuckDeaths + 1;
    const times = this.#events.blameFirst();
    if (times >= 2) this.#oneAtATime = true;
    if (times >= BLAMED_TOO_OFTEN && this.#events.setFirstAside()) this.#stuckDeaths = 1;
  }

  // Commands -----------------------------------------------------------------------------------------------------------

  #take(command: Command): void {
    if (this.#supervisor === null || this.#state === "leaving") return;
    const standsAlone = command.kind === "attach" || command.kind === "idle";
    const isKey = command.kind === "put" || command.kind === "remove";
    const isNonsense =
      (standsAlone && this.#batch.length > 0) ||
      (command.kind === "attach") === this.#hasAttached ||
      (isKey && (command.key === "" || new TextEncoder().encode(command.key).length > LIMITS.keyBytes)) ||
      this.#batchBytes > LIMITS.batchBytes + LIMITS.frameBytes;
    if (isNonsense) return this.#killSupervisor();
    if (command.kind === "attach") return this.#attach(command.protocol);
    if (command.kind === "idle") return this.#considerSleep(command.seen);
    if (command.kind !== "commit") this.#batch.push(command);
    else this.#commit(command);
  }

  #attach(protocol: number): void {
    if (protocol !== PROTOCOL_VERSION) return this.#killSupervisor();
    this.#hasAttached = true;
    this.#state = "attached";
    this.#failedStarts = 0;
    this.#answered();
  }

  #considerSleep(seen: number): void {
    const isTickDue = this.#tickAt !== 0 && this.#tickAt <= this.#world.now();
    if (this.#events.outstanding > 0 || seen < this.#events.last || isTickDue) return;
    this.#state = "leaving";
    this.#limitTime();
    this.#supervisor?.receive(encodeMessages([{ kind: "sleep" }]));
  }

  /** The batch is whole: first the journal, then the commands, then what it consumed is done. */
  #commit(commit: CommandOf<"commit">): void {
    if (commit.consumed > this.#events.delivered) return this.#killSupervisor();
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    for (const command of batch) {
      if (command.kind === "put") this.#journal.set(command.key, command.value);
      if (command.kind === "remove") this.#journal.delete(command.key);
    }
    for (const command of batch) this.#carryOut(command);
    this.#events.consume(commit.consumed);
    if (!this.#events.has("tick")) this.#setTick(commit.tickAt);
    this.#checkBarriers();
    if (this.#events.consumed > this.#consumedAtStart) {
      this.#stuckDeaths = 0;
      this.#oneAtATime = false;
    }
    this.#answered();
    if (this.#exit) this.#end(this.#exit.status);
  }

  #end(status: number): void {
    this.#state = "over";
    this.#supervisor?.kill();
    this.#supervisor = null;
    this.#world.keeperEnded(status);
  }

  #setTick(at: number): void {
    this.#tickAt = at;
    if (at === 0) return;
    this.#world.after(Math.max(0, at - this.#world.now()), () => {
      if (this.#tickAt === at && this.#state !== "over") this.#attend();
    });
  }

  /** A tick is made only when nothing else is to be told. */
  #considerTick(): void {
    if (this.#tickAt === 0 || this.#tickAt > this.#world.now() || this.#events.outstanding > 0) return;
    this.#events.post({ kind: "tick" }, this.#tickAt);
    this.#tickAt = 0;
  }

  #checkBarriers(): void {
    for (
      let barrier = this.#barriers[0];
      barrier && this.#workers.isDecided(barrier.start);
      barrier = this.#barriers[0]
    ) {
      this.#barriers.shift();
      this.#events.post({ kind: "reached", token: barrier.token });
    }
  }

  #fail(command: Command, id: number, failing: Failing | null): void {
    if (failing) this.#events.post({ kind: "failed", command: COMMANDS[command.kind].code, id, ...failing });
  }

  /** What only a kernel can do is taken as done. */
  #carryOut(command: Command): void {
    this.#world.carriedOut(command);
    switch (command.kind) {
      case "openSocket":
        return this.#open(command);
      case "closeHandle":
        this.#handles.delete(command.handle);
        return;
      case "statSocket":
        if (!this.#handles.has(command.handle))
          return this.#fail(command, command.request, { step: "stat", errno: EBADF });
        return this.#events.post({
          kind: "socketStat",
          request: command.request,
          handle: command.handle,
          queue: 0,
          limit: 4096,
        });
      case "spawn":
        return this.#workers.spawn(command);
      case "signal":
        return this.#workers.signal(command);
      case "sendDatagram":
        return this.#fail(
          command,
          command.worker || command.handle,
          command.worker > 0 ? this.#workers.missing(command.worker) : null,
        );
      case "write":
        return this.#fail(command, command.connection, this.#streams.write(command));
      case "log":
        return this.#world.log(command.sink, command.bytes);
      case "barrier":
        this.#barriers.push({ token: command.token, start: this.#workers.starts });
        return;
      case "exit":
        this.#exit = command;
        return;
      default:
        return;
    }
  }

  #open(command: CommandOf<"openSocket">): void {
    const opened = this.#world.openSocket(command);
    if ("errno" in opened) return this.#fail(command, command.handle, opened);
    this.#handles.set(command.handle, opened.address);
    const { handle, domain, type } = command;
    this.#events.post({
      kind: "opened",
      handle,
      domain,
      type,
      listening: opened.listening ? 1 : 0,
      address: opened.address,
    });
  }
}
