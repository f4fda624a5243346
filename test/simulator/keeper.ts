// A keeper without a kernel. It uses the same frames and rules in virtual time, so that the whole supervisor can be run
// against it, killed between any two steps and started again. The conformance tests compare it with the real one.
import { FrameError } from "../../src/keeper/frame-plans.ts";
import { CommandDecoder } from "../../src/keeper/frames.ts";
import { type Command, type Greeting, LIMITS, PROTOCOL_VERSION } from "../../src/keeper/protocol.ts";
import { SimulatedCommands } from "./commands.ts";
import { EventQueue, type PostedEvent } from "./events.ts";
import { encodeJournal } from "./journal.ts";
import { SimulatedStreams } from "./streams.ts";
import { type Death, SimulatedSupervision } from "./supervision.ts";
import { type Ending, SimulatedWorkers } from "./workers.ts";
import type { CommandOf, Failing, SimulatedWorld } from "./world.ts";

export type SimulatedFacts = {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly realtimeOffset: number;
  /** Missing: 1. */
  readonly pid?: number;
};

const BOOT_ID = "simulated";

const NEVER = 2 ** 40;

/** States in which a supervisor is listened to. */
const HEARD: ReadonlySet<string> = new Set(["starting", "attached", "leaving"]);

/** A commit does not count for the batch's size: length, code, two numbers. */
const COMMIT_BYTES = 4 + 1 + 8 + 8;

export class SimulatedKeeper {
  readonly #world: SimulatedWorld;
  readonly #facts: SimulatedFacts;
  readonly #events: EventQueue;
  readonly #workers: SimulatedWorkers;
  readonly #streams: SimulatedStreams;
  readonly #commands: SimulatedCommands;
  readonly #supervision: SimulatedSupervision;
  readonly #journal = new Map<string, Uint8Array>();
  readonly #startedAt: number;
  #decoder = new CommandDecoder();
  #batch: Command[] = [];
  #batchBytes = 0;
  #tickAt = 0;
  #executions = 0;
  #batches = 0;
  #hasJournalFile = false;
  /** The commands of the last batch, while it is not known whether they were carried out. */
  #unconfirmed: readonly Command[] = [];

  constructor(world: SimulatedWorld, facts: SimulatedFacts) {
    this.#world = world;
    this.#facts = facts;
    this.#startedAt = world.now();
    const post = (happening: PostedEvent): void => this.#events.post(happening);
    this.#workers = new SimulatedWorkers(world, post, (happening) => this.#happen(() => post(happening)));
    this.#streams = new SimulatedStreams(world, post);
    this.#commands = new SimulatedCommands({
      ...{ world, workers: this.#workers, streams: this.#streams, post },
      takeDescriptor: (event, index) => this.#events.takeDescriptor(event, index),
      candidate: () => this.#startCandidate(),
      rehearse: () => this.#rehearse(),
    });
    this.#events = new EventQueue(world.now, (gone) => {
      if (gone.kind === "exited" || gone.kind === "spawnFailed") this.#workers.endConsumed(gone.worker);
    });
    this.#supervision = new SimulatedSupervision(world, this.#events, {
      hello: () => this.#hello(),
      forget: () => this.#forgetBatch(),
      ended: (death) => this.supervisorEnded(death),
      settled: () => this.#events.post({ kind: "supervisorReplaced", pid: 2, forked: 0 }),
      kept: ({ ending, status }) => this.#events.post({ kind: "supervisorKept", phase: 2, ending, status }),
    });
  }

  /** Starts the first supervisor. */
  start(): void {
    this.#supervision.start();
  }

  // What happens to it -------------------------------------------------------------------------------------------------

  /** Bytes from the supervisor, in any pieces. */
  hear(bytes: Uint8Array): void {
    if (!HEARD.has(this.#supervision.state)) return;
    this.#batchBytes += bytes.length;
    let commands: readonly Command[];
    try {
      commands = this.#decoder.push(bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return this.#supervision.kill();
    }
    for (const command of commands) this.#take(command);
    this.#attend();
  }

  /** The supervisor exited, or a signal ended it. */
  supervisorEnded(death: Death): void {
    this.#happen(() => this.#supervision.ended(death));
  }

  /** The keeper and its supervisor are killed with SIGKILL. The world gets the journal file that is left. */
  kill(): void {
    if (this.#supervision.state === "over") return;
    this.#supervision.end();
    this.#world.keeperKilled(this.#hasJournalFile ? this.#encodedJournal() : null);
  }

  #encodedJournal(): Uint8Array {
    return encodeJournal({
      bootId: BOOT_ID,
      pid: this.#facts.pid ?? 1,
      writtenAt: this.#startedAt,
      batch: this.#batches,
      consumed: this.#events.consumed,
      entries: this.#journal,
      unconfirmed: this.#unconfirmed,
    });
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
    descriptors = 0,
  ): void {
    this.#happen(() => this.#workers.datagram(worker, bytes, sender, descriptors));
  }
  /** The peer of a stored handle hangs up. */
  peerHangsUp(handle: number): void {
    this.#happen(() => this.#commands.hangUp(handle));
  }
  /** The name of a socket's file was gone. `state`: its state now (NAME_STATES). */
  nameChanges(handle: number, state: number): void {
    this.#happen(() => this.#commands.changeName(handle, state));
  }
  /** A worker's main process has ended, and `rest` others of its tree have not. */
  mainProcessExited(worker: number, ending: Ending, rest: number): void {
    this.#happen(() => this.#workers.mainExited(worker, ending, rest));
  }
  processesKilled(worker: number, processes: readonly { readonly pid: number; readonly command: string }[]): void {
    this.#happen(() => this.#workers.killed(worker, processes));
  }
  /** All processes of the worker have ended. */
  processExited(worker: number, ending: Ending): void {
    this.#happen(() => this.#workers.exited(worker, ending));
  }
  /** A client connects to the listening handle. Returns the connection's number. */
  clientConnects(listener: number, peer = { pid: 1, uid: 0, gid: 0 }): number {
    return this.#streams.connect(listener, peer);
  }
  clientSends(connection: number, bytes: Uint8Array): void {
    this.#happen(() => this.#streams.receive(connection, bytes));
  }
  clientHangsUp(connection: number): void {
    this.#happen(() => this.#streams.hangUp(connection));
  }

  /** The number of workers that are not gone. */
  get workersAlive(): number {
    return this.#workers.alive;
  }
  get isAsleep(): boolean {
    return this.#supervision.state === "asleep";
  }
  /** The value of a journal key. */
  journalled(key: string): Uint8Array | undefined {
    return this.#journal.get(key);
  }
  get journalKeys(): readonly string[] {
    return [...this.#journal.keys()];
  }

  #happen(what: () => void): void {
    if (this.#supervision.state === "over") return;
    what();
    this.#attend();
  }

  /** After every change: reports what is due, and starts a supervisor if one is needed. */
  #attend(): void {
    this.#commands.checkBarriers();
    this.#considerTick();
    if (this.#supervision.state === "asleep" && this.#events.outstanding > 0) this.#supervision.start();
    if (this.#supervision.state === "attached") this.#supervision.deliver();
  }

  #startCandidate(): void {
    const { afterMs, ending } = this.#world.startCandidate();
    this.#world.after(afterMs, () =>
      this.#happen(() => {
        if (ending === null) this.#supervision.replace();
        else this.#events.post({ kind: "supervisorKept", phase: 0, ...ending });
      }),
    );
  }

  #rehearse(): void {
    const { afterMs, status } = this.#world.rehearse();
    const rehearsed = { kind: "rehearsed", step: "", errno: 0, ending: 0, status } as const;
    this.#world.after(afterMs, () => this.#happen(() => this.#events.post(rehearsed)));
  }

  #hello(): Greeting[] {
    const { args, cwd, realtimeOffset } = this.#facts;
    return [
      {
        kind: "hello",
        protocol: PROTOCOL_VERSION,
        version: "simulated",
        pid: this.#facts.pid ?? 1,
        startedAt: this.#startedAt,
        now: this.#world.now(),
        realtimeOffset,
        bootId: BOOT_ID,
        home: "/opt/crank",
        cwd,
        args,
        program: "crank",
        fresh: this.#journal.size === 0 ? 1 : 0,
        crashes: this.#supervision.crashes,
        consumed: this.#events.consumed,
        executions: this.#executions,
        path: "/opt/crank/bin/crank",
      },
      { kind: "helloZone", offset: 0, until: NEVER, nextOffset: 0 },
      ...[...this.#journal].map(([key, value]) => ({ kind: "helloEntry" as const, key, value })),
      ...this.#workers.hello(),
      ...this.#commands.hello(),
      ...this.#streams.hello(),
      { kind: "helloEnd", outstanding: this.#events.outstanding },
    ];
  }

  // Input from the supervisor ------------------------------------------------------------------------------------------

  #forgetBatch(): void {
    this.#decoder = new CommandDecoder();
    this.#batch = [];
    this.#batchBytes = 0;
  }

  #take(command: Command): void {
    if (!this.#supervision.isThere) return;
    // It is already being released.
    if (this.#supervision.state === "leaving" && command.kind === "idle") return;
    const standsAlone = command.kind === "attach" || command.kind === "idle";
    const isKey = command.kind === "put" || command.kind === "remove";
    const isNonsense =
      (standsAlone && this.#batch.length > 0) ||
      (command.kind === "attach") === this.#supervision.hasAttached ||
      (isKey && (command.key === "" || new TextEncoder().encode(command.key).length > LIMITS.keyBytes)) ||
      this.#batchBytes > LIMITS.batchBytes + COMMIT_BYTES;
    if (isNonsense) return this.#supervision.kill();
    if (command.kind === "attach") return this.#attach(command.protocol);
    if (command.kind === "idle") return this.#considerSleep(command.seen);
    if (command.kind !== "commit") this.#batch.push(command);
    else this.#commit(command);
  }

  #attach(protocol: number): void {
    if (protocol === PROTOCOL_VERSION) this.#supervision.attach();
    else this.#supervision.kill();
  }

  #considerSleep(seen: number): void {
    const isTickDue = this.#tickAt !== 0 && this.#tickAt <= this.#world.now();
    if (this.#events.outstanding > 0 || seen < this.#events.last || isTickDue) return;
    this.#supervision.release();
  }

  /** The batch is complete: first the journal changes, then the commands, then its events are consumed. */
  #commit(commit: CommandOf<"commit">): void {
    if (commit.consumed > this.#events.delivered) return this.#supervision.kill();
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    for (const command of batch) {
      if (command.kind === "put") this.#journal.set(command.key, command.value);
      if (command.kind === "remove") this.#journal.delete(command.key);
    }
    this.#batches += 1;
    const listed = batch.filter(({ kind }) => kind !== "put" && kind !== "remove");
    this.#unconfirmed = listed;
    for (const command of listed) {
      if (this.#world.isKilledHere()) return this.kill();
      if (command.kind === "openJournal" || command.kind === "takeJournal") this.#hasJournalFile = true;
      this.#commands.applyEffect(command);
    }
    this.#unconfirmed = [];
    this.#events.consume(commit.consumed);
    if (!this.#events.has("tick")) this.#setTick(commit.tickAt);
    this.#commands.checkBarriers();
    this.#supervision.committed();
    const { exitStatus } = this.#commands;
    const executes = this.#commands.takeExecution();
    if (exitStatus === null && !executes) return;
    if (exitStatus === null) {
      this.#executions += 1;
      return this.#supervision.execute();
    }
    this.#supervision.end();
    this.#world.keeperEnded(exitStatus);
  }

  #setTick(at: number): void {
    this.#tickAt = at;
    if (at === 0) return;
    this.#world.after(Math.max(0, at - this.#world.now()), () => {
      if (this.#tickAt === at && this.#supervision.state !== "over") this.#attend();
    });
  }

  /** A tick is posted only when no other event is outstanding. */
  #considerTick(): void {
    if (this.#tickAt === 0 || this.#tickAt > this.#world.now() || this.#events.outstanding > 0) return;
    this.#events.post({ kind: "tick" }, this.#tickAt);
    this.#tickAt = 0;
  }
}
