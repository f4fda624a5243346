// A whole crank in virtual time, from one seed: the real supervisor, a simulated keeper, simulated processes and
// clients. The same life can be repeated with the supervisor killed at any moment, with the same result.

import { CRANK } from "../../src/commands/crank/front-end.ts";
import { HISTORY_LENGTH } from "../../src/core/model/spec.ts";
import { POLICY } from "../../src/frontends/einhyrningsins/invocation.ts";
import { type Command, NAME_STATES, PROTOCOL_VERSION } from "../../src/keeper/protocol.ts";
import { DEFAULTS } from "../../src/spec/defaults.ts";
import { parseRecord } from "../../src/supervisor/adoption/record.ts";
import type { Platform } from "../../src/supervisor/os/platform.ts";
import { kindOf } from "../../src/supervisor/state/process-ids.ts";
import type { FrontEnd } from "../../src/supervisor/state/store.ts";
import { SimulatedKeeper } from "../simulator/keeper.ts";
import type { Ending } from "../simulator/workers.ts";
import type { CommandOf, Failing, Opened, SimulatedSupervisor, SimulatedWorld, Taken } from "../simulator/world.ts";
import { Clients } from "./clients.ts";
import { type Behaviour, calmBehaviour, type Quality, randomBehaviour, randomQuality } from "./core-behaviour.ts";
import { type LeftProcess, leftProcesses } from "./left.ts";
import { simulatedPlatform, WALL_OFFSET } from "./platform.ts";
import { Random } from "./random.ts";
import { LeftDescriptors } from "./stored.ts";
import { type Moment, SupervisorLife } from "./supervisor-life.ts";
import { Timeline } from "./timeline.ts";
import { describeCommand, describeUndisturbed } from "./undisturbed.ts";

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

type Process = {
  readonly behaviour: Behaviour;
  readonly isWatched: boolean;
  readonly environment: ReadonlyMap<string, string>;
  /** It does not hold the socket, but listens elsewhere. */
  readonly isAstray: boolean;
  pid: number;
  startTime: number;
  /** `lingering`: the main process has ended, and the rest has not. */
  state: "starting" | "running" | "lingering" | "gone";
  ending: Ending;
};

const CALM_AT = 20_000;
const PATIENCE_MS = 600_000;
/** Pids from here on are of processes that workers started. */
const FIRST_OF_RESTS = 100_000;
/** Watchdogs never end, so the end is at this time: everything else has happened by then. */
const REST_AT = CALM_AT + 1.5 * PATIENCE_MS;
const FEED_MS = 15_000;
const END_AT = 1_000_000;
const MAX_STEPS = 50_000;
const RECORD = "/sim/one.conf";
const JOURNAL = "/sim/one.run/journal";
const CONTROL_HANDLE = 1;
const SERVICE_HANDLE = 10;
/** Each keeper's connections have a range of numbers of their own. */
const CONNECTIONS_OF_A_KEEPER = 1_000_000;
const SIGNALS = { SIGTERM: 15, SIGKILL: 9, SIGSEGV: 11, SIGUSR1: 10 } as const;

/** SIGUSR1 at these steps of a life. `keeper`: each time the keeper's program differs too. */
export type Upgrading = { readonly at: readonly number[]; readonly keeper: boolean };
const NO_UPGRADES: Upgrading = { at: [], keeper: false };

/** Runs the life of a seed. Throws Broken. */
export const live = (
  seed: number,
  killing: Killing,
  frontEnd: FrontEnd = CRANK,
  upgrading: Upgrading = NO_UPGRADES,
): Promise<Life> => new World(seed, killing, frontEnd, upgrading, "lives").live();

/** The same, with the keeper and its supervisor killed and restarted now and then: only the outcome counts. */
export const liveWithDyingKeepers = (seed: number): Promise<Life & { readonly keeperKills: number }> =>
  new World(seed, "anywhere", CRANK, NO_UPGRADES, "dies").live();

/** crank with the policy of einhyrningsins. */
export const CRANK_BY_PLACES: FrontEnd = {
  ...CRANK,
  parse: async (...given) => {
    const invocation = await CRANK.parse(...given);
    if (invocation.kind !== "serve") return invocation;
    return { ...invocation, settings: { ...invocation.settings, manner: POLICY } };
  },
};

class World implements SimulatedWorld {
  readonly #random: Random;
  readonly #fate: Random;
  readonly #killing: Killing;
  readonly #frontEnd: FrontEnd;
  readonly #upgrading: Upgrading;
  readonly #timeline = new Timeline();
  readonly #files = new Map<string, string>();
  readonly #processes = new Map<number, Process>();
  readonly #left = new LeftDescriptors(
    (worker) => this.#processes.get(worker)?.state !== "gone",
    (worker) => this.#saidReady.has(worker),
  );
  #checkedRecord = "";
  readonly #saidReady = new Set<number>();
  readonly #qualities = new Map<string, Quality>();
  readonly #commands: string[] = [];
  readonly #trace: string[] = [];
  readonly #args: readonly string[];
  readonly #keeperFate: "lives" | "dies";
  #keeper: SimulatedKeeper;
  #keepers = 0;
  /** The journal file. */
  #journalFile: Uint8Array | null = null;
  readonly #clients: Clients;
  readonly #respawns: boolean;
  #supervisor: SupervisorLife | null = null;
  #now = 1000;
  #steps = 0;
  #kills = 0;
  #pids = 100;
  #isCalm = false;
  #isAccepting = false;
  #status: number | null = null;
  #diskFullUntil = 0;
  /** Random numbers for upgrades only, so that upgrades do not change anything else. */
  readonly #upgradeFate: Random;
  /** For the memory of workers. */
  readonly #sizes: Random;
  readonly #names: Random;
  /** For which workers do not hold the socket. */
  readonly #straying: Random;

  constructor(seed: number, killing: Killing, frontEnd: FrontEnd, upgrading: Upgrading, keeperFate: "lives" | "dies") {
    this.#keeperFate = keeperFate;
    this.#frontEnd = frontEnd;
    this.#upgrading = upgrading;
    this.#upgradeFate = new Random(seed ^ 0x0b9d);
    this.#sizes = new Random(seed ^ 0x517e);
    this.#names = new Random(seed ^ 0x9a3e);
    this.#straying = new Random(seed ^ 0x50c7);
    this.#random = new Random(seed);
    this.#fate = new Random(seed ^ 0x5eed);
    this.#killing = killing;
    this.#respawns = this.#random.chance(0.7);
    if (this.#random.chance(0.3)) this.#files.set(RECORD, OLD_RECORD);
    const args = [
      "-bind",
      "127.0.0.1:80",
      "-prefix",
      "/sim",
      "-name",
      "one",
      "-linger",
      String(this.#random.pick([0, 0.05, 10])),
    ];
    args.push(this.#respawns ? "-respawn" : "-respawn=false");
    this.#args = args;
    this.#keeper = this.#newKeeper();
    this.#clients = new Clients(this.#random, {
      isThere: () => this.#isAccepting || this.#status !== null,
      connect: () => this.#connectionBase() + this.#keeper.clientConnects(CONTROL_HANDLE),
      send: (connection, bytes) => this.#toKeeper(connection, (number) => this.#keeper.clientSends(number, bytes)),
      hangUp: (connection) => this.#toKeeper(connection, (number) => this.#keeper.clientHangsUp(number)),
      after: (ms, happen) => this.after(ms, happen),
    });
  }

  async live(): Promise<Life & { readonly keeperKills: number }> {
    this.#keeper.start();
    if (this.#keeperFate === "dies")
      for (let deaths = this.#fate.between(1, 5); deaths > 0; deaths--)
        this.after(this.#fate.between(1, CALM_AT - 5000), () => this.#keeper.kill());
    for (let question = this.#random.between(1, 8); question > 0; question--)
      this.after(this.#random.between(20, CALM_AT - 4000), () => this.#ask());
    if (this.#random.chance(0.1)) this.after(this.#random.between(20, CALM_AT), () => this.#keeper.signalled(1));
    if (this.#random.chance(0.15)) this.after(this.#random.between(20, CALM_AT), () => this.#fillDisk());
    if (this.#names.chance(0.2)) this.after(this.#names.between(20, CALM_AT), () => this.#loseName());
    this.after(CALM_AT, () => this.#calmDown());
    await this.#goOn(REST_AT);
    if (this.#status === null) {
      this.#expectRest();
      // At the same time in every life, however long an upgrade delayed it.
      this.#now = Math.max(this.#now, END_AT);
      this.#end();
      await this.#goOn(Number.POSITIVE_INFINITY);
    }
    this.#expectEnd();
    return {
      commands: this.#commands,
      record: this.#files.get(RECORD) ?? "",
      status: this.#status,
      kills: this.#kills,
      keeperKills: this.#keepers - 1,
      events: this.#steps,
    };
  }

  /** Runs until nothing more happens, or until this time. */
  async #goOn(until: number): Promise<void> {
    for (;;) {
      while (this.#supervisor?.hasWork) await this.#supervisor.work();
      if (this.#status !== null || this.#timeline.next === Number.POSITIVE_INFINITY) return;
      if (this.#timeline.next > until) return;
      this.#now = Math.max(this.#now, this.#timeline.next);
      this.#timeline.happen();
      this.#steps += 1;
      if (this.#upgrading.at.includes(this.#steps)) this.#keeper.signalled(SIGNALS.SIGUSR1);
      if (this.#steps > MAX_STEPS) this.#fail("it does not come to rest");
    }
  }

  /** No connection is possible before the control socket is open. */
  #ask(): void {
    if (this.#isAccepting) this.#clients.askSomething();
    else this.after(10, () => this.#ask());
  }

  #calmDown(): void {
    this.#isCalm = true;
    this.#endRecycling();
    for (const [worker, process] of this.#processes)
      if (process.behaviour.start !== "ready" || process.behaviour.ignoresTerm || process.isAstray)
        this.#exit(worker, process, "SIGKILL");
  }

  #endRecycling(): void {
    if (this.#isAccepting) this.#clients.endRecycling();
    else if (this.#status === null) this.after(10, () => this.#endRecycling());
  }

  // Keepers, one after the other --------------------------------------------------------------------------------------

  #newKeeper(): SimulatedKeeper {
    this.#keepers += 1;
    const pid = this.#keepers;
    return new SimulatedKeeper(this, { args: this.#args, cwd: "/", realtimeOffset: WALL_OFFSET, pid });
  }

  #connectionBase(): number {
    return this.#keepers * CONNECTIONS_OF_A_KEEPER;
  }

  /** Bytes for a keeper that is gone are dropped. */
  #toKeeper(connection: number, act: (number: number) => void): void {
    const number = connection - this.#connectionBase();
    if (number > 0 && number < CONNECTIONS_OF_A_KEEPER) act(number);
  }

  isKilledHere(): boolean {
    const isSafe = this.#keeperFate === "lives" || this.#now > CALM_AT - 5000;
    return !isSafe && this.#fate.chance(0.01);
  }

  keeperKilled(journal: Uint8Array | null): void {
    this.#trace.push(`${this.#now} the keeper is killed`);
    if (journal) this.#journalFile = journal;
    this.#isAccepting = false;
    this.#clients.loseConnections();
    for (const [worker, process] of this.#processes) {
      if (process.state !== "starting") continue;
      if (this.#fate.chance(0.5)) process.state = "gone";
      else this.#begin(worker, process);
    }
    this.after(this.#fate.between(1, 800), () => {
      this.#keeper = this.#newKeeper();
      this.#keeper.start();
    });
  }

  adoptProcess({ worker, pid }: CommandOf<"adopt">): "main" | { readonly rest: number } | "gone" {
    const process = this.#processes.get(worker);
    if (process?.pid !== pid) return "gone";
    if (process.state === "lingering") return { rest: process.behaviour.rest?.count ?? 1 };
    return process.state === "running" ? "main" : "gone";
  }

  takeDescriptor({ handle, pid }: CommandOf<"takeDescriptor">): Taken | null {
    const socket = this.#serviceSocket?.handle === handle ? this.#serviceSocket : null;
    const isThere = [...this.#living(), ...this.#rests()].some((process) => process.pid === pid);
    return isThere && socket ? { domain: socket.domain, type: socket.type, address: socket.address } : null;
  }

  #serviceSocket: CommandOf<"openSocket"> | null = null;

  readonly #living = (): readonly Process[] =>
    [...this.#processes.values()].filter((process) => process.state === "running");

  /** Processes of workers whose main process has ended. */
  #rests(): readonly LeftProcess[] {
    return [...this.#processes.values()].flatMap(({ state, pid, startTime, environment }) =>
      state === "lingering" ? [{ pid: pid + FIRST_OF_RESTS, startTime: startTime + 1, environment, first: pid }] : [],
    );
  }

  /** The file of a socket is removed. */
  #loseName(): void {
    const handle = this.#names.pick([CONTROL_HANDLE, SERVICE_HANDLE]);
    this.#keeper.nameChanges(handle, this.#names.pick([NAME_STATES.restored, NAME_STATES.lost]));
  }

  #fillDisk(): void {
    this.#diskFullUntil = this.#now + this.#random.between(10, 2000);
  }

  #end(): void {
    if (this.#random.chance(0.5)) this.#keeper.signalled(SIGNALS.SIGTERM);
    else this.#clients.ask("shutdown", { wait: this.#random.chance(0.7) }, "whole");
  }

  // What the keeper sees -----------------------------------------------------------------------------------------------

  readonly now = (): number => this.#now;

  after(ms: number, happen: () => void): void {
    this.#timeline.plan(this.#now + ms, happen);
  }

  startSupervisor(): SimulatedSupervisor {
    const life: SupervisorLife = new SupervisorLife({
      platform: this.#platform(),
      frontEnd: this.#frontEnd,
      send: (bytes) => this.#keeper.hear(bytes),
      isKilledAt: (moment) => this.#isKilledAt(life, moment),
      onKilled: () => this.#keeper.supervisorEnded({ ending: 1, status: SIGNALS.SIGKILL, fromOutside: true }),
      onRest: (lingerMs) => this.#rest(life, lingerMs),
      onSleep: () => this.#keeper.supervisorEnded({ ending: 0, status: 0, fromOutside: false }),
      onFault: (error) =>
        this.#fail(`the supervisor found a fault in itself: ${error instanceof Error ? error.stack : error}`),
    });
    this.#supervisor = life;
    return life;
  }

  #platform(): Platform {
    const platform = simulatedPlatform(
      this.#files,
      this.now,
      () => this.#now >= this.#diskFullUntil,
      () => !this.#upgrading.keeper,
    );
    return {
      ...platform,
      readBytes: (path) => (path === JOURNAL ? this.#journalFile : platform.readBytes(path)),
      quarantine: (path) => {
        if (path !== JOURNAL) return platform.quarantine(path);
        this.#journalFile = null;
        return `${JOURNAL}.aside`;
      },
      processes: leftProcesses(() => [...this.#living(), ...this.#rests()]),
      descriptorTarget: (pid, fd) =>
        [...this.#processes.values()].some((process) => process.pid === pid && process.isAstray)
          ? null
          : platform.descriptorTarget(pid, fd),
    };
  }

  #rest(life: SupervisorLife, lingerMs: number): void {
    const { worked } = life;
    this.after(lingerMs, () => {
      if (life.isAlive && life.worked === worked) life.askForSleep();
    });
  }

  #isKilledAt(life: SupervisorLife, moment: Moment): boolean {
    if (this.#killing === "never" || !this.#fate.chance(this.#isCalm ? 0.02 : 0.05)) return false;
    // If one dies before it has attached, the next one starts only after a pause.
    if (this.#killing === "unnoticed" && !life.hasAttached) return false;
    this.#kills += 1;
    this.#trace.push(`${this.#now} the supervisor is killed ${moment}`);
    return true;
  }

  startCandidate(): { afterMs: number; ending: Ending | null } {
    const dies = this.#upgradeFate.chance(0.1);
    return { afterMs: this.#upgradeFate.between(1, 30), ending: dies ? { ending: 0, status: 1 } : null };
  }

  rehearse(): { afterMs: number; status: number } {
    return { afterMs: this.#upgradeFate.between(1, 10), status: this.#upgradeFate.chance(0.1) ? 1 : 0 };
  }

  openSocket(command: CommandOf<"openSocket">): Opened | Failing {
    if (command.handle !== CONTROL_HANDLE) this.#serviceSocket = command;
    return { address: command.address, listening: command.backlog > 0 };
  }

  answer(connection: number, bytes: Uint8Array): void {
    const wrong = this.#clients.answered(this.#connectionBase() + connection, bytes);
    if (wrong !== null) this.#fail(wrong);
  }

  hangUp(): void {}

  log(_sink: number, bytes: Uint8Array): void {
    this.#trace.push(`${this.#now} log: ${new TextDecoder().decode(bytes).trimEnd()}`);
  }

  carriedOut(command: Command): void {
    this.#expectRecord();
    if (command.kind === "acceptOn") this.#isAccepting = true;
    const closes = command.kind === "closeHandle" && !isOfUpgrade(command);
    const wrong = closes ? this.#left.closed(command.handle) : null;
    if (wrong !== null) this.#fail(wrong);
    if (command.kind === "put" || command.kind === "remove" || command.kind === "log") return;
    const text = isOfUpgrade(command) ? null : describeUndisturbed(command);
    if (text !== null) this.#commands.push(`${this.#now} ${text}`);
    this.#trace.push(`${this.#now} ${describeCommand(command)}`);
  }

  keeperEnded(status: number): void {
    this.#status = status;
    if (this.#keeper.workersAlive > 0) this.#fail("crank left workers behind");
  }

  // Processes ----------------------------------------------------------------------------------------------------------

  startProcess(command: CommandOf<"spawn">): void {
    const { worker } = command;
    if (kindOf(worker) === "upgradeCheck") return this.#check(worker);
    if (kindOf(worker) === "measurement") return this.#measure(command);
    const before = this.#processes.get(worker);
    // If no worker of a service is left, the next keeper begins again, with its numbers too.
    if (before && (before.state !== "gone" || this.#keepers === 1))
      this.#fail(`the number of worker ${worker} was used before`);
    const wrong = this.#left.started(command);
    if (wrong !== null) this.#fail(wrong);
    const generation = command.env.find(([name]) => name === "CRANK_GENERATION")?.[1] ?? "";
    const quality = this.#qualities.get(generation) ?? randomQuality(this.#random);
    this.#qualities.set(generation, quality);
    const behaviour = this.#isCalm ? calmBehaviour : randomBehaviour(this.#random, quality);
    this.#pids += 1;
    const isWatched = command.env.some(([name]) => name === "WATCHDOG_USEC");
    const process: Process = {
      ...{ behaviour, isWatched, environment: new Map(command.env), pid: this.#pids },
      isAstray: !this.#isCalm && this.#straying.chance(0.05),
      ...{ startTime: 0, state: "starting", ending: { ending: 3, status: 0 } },
    };
    this.#processes.set(worker, process);
    this.after(behaviour.spawnMs, () => this.#begin(worker, process));
  }

  /** The check of an upgrade: the new program answers and ends; some answers are wrong. */
  #check(worker: number): void {
    this.after(1, () => this.#keeper.processStarted(worker, 99, this.#now));
    const fails = this.#upgradeFate.chance(0.1);
    this.after(this.#upgradeFate.between(5, 50), () => {
      if (!fails) this.#keeper.processNotifies(worker, CHECKED, { pid: 99, uid: 0, gid: 0 });
      this.#keeper.processExited(worker, { ending: 0, status: fails ? 1 : 0 });
    });
  }

  /** Reports the memory of the given workers. Some measurements end without a result. */
  #measure({ worker, args }: CommandOf<"spawn">): void {
    const fails = this.#sizes.chance(0.2);
    const lines = args.flatMap((word) => {
      const id = /^(\d+):\d+:\d+$/.exec(word)?.[1];
      return id === undefined ? [] : [`w ${id} 1 ${this.#sizes.between(0, 1100)} 10 -\n`];
    });
    this.after(1, () => this.#keeper.processStarted(worker, 98, this.#now));
    this.after(this.#sizes.between(2, 60), () => {
      const said = new TextEncoder().encode(`${lines.join("")}end\n`);
      if (!fails) this.#keeper.processNotifies(worker, said, { pid: 98, uid: 0, gid: 0 });
      this.#keeper.processExited(worker, { ending: 0, status: fails ? 1 : 0 });
    });
  }

  #begin(worker: number, process: Process): void {
    const { behaviour, pid } = process;
    if (process.state !== "starting") return;
    if (behaviour.spawnFails) {
      process.state = "gone";
      return this.#keeper.processNotStarted(worker, { step: "exec", errno: 2 });
    }
    process.state = "running";
    process.startTime = this.#now;
    this.#keeper.processStarted(worker, pid, this.#now);
    if (behaviour.start === "hang") return this.#exitAfter(PATIENCE_MS, worker, process, "exit 1");
    if (behaviour.start !== "ready")
      return this.#exitAfter(behaviour.startMs, worker, process, behaviour.start === "crash" ? "exit 1" : "exit 0");
    for (const delay of behaviour.readyTwice ? [behaviour.startMs, behaviour.startMs + 3] : [behaviour.startMs])
      this.after(delay, () => {
        if (process.state !== "running") return;
        this.#saidReady.add(worker);
        this.#keeper.processNotifies(worker, READY, { pid, uid: 0, gid: 0 });
      });
    this.#speak(worker, process);
    if (behaviour.dieAfterMs !== null)
      this.#exitAfter(behaviour.startMs + behaviour.dieAfterMs, worker, process, behaviour.dieWith);
  }

  /** Sends its messages other than READY=1. */
  #speak(worker: number, process: Process): void {
    const { startMs, words, wordsAfterMs, forgetsWatchdog } = process.behaviour;
    if (words !== null) this.after(startMs + wordsAfterMs, () => this.#notify(worker, process, words));
    if (!process.isWatched || forgetsWatchdog) return;
    const feed = (): void => {
      this.#notify(worker, process, "WATCHDOG=1");
      if (process.state === "running") this.after(FEED_MS, feed);
    };
    this.after(startMs, feed);
  }

  #notify(worker: number, { state, pid }: Process, words: string): void {
    if (state === "running")
      this.#keeper.processNotifies(worker, new TextEncoder().encode(words), { pid, uid: 0, gid: 0 });
  }

  signalProcess(worker: number, signal: number): void {
    if (kindOf(worker) === "upgradeCheck") return;
    const process = this.#processes.get(worker);
    if (!process || process.state === "gone" || signal === SIGNALS.SIGUSR1) return;
    const { ignoresTerm, stopMs, rest } = process.behaviour;
    if (process.state === "lingering") {
      const afterMs = signal === SIGNALS.SIGKILL ? 5 : (rest?.stopMs ?? PATIENCE_MS);
      return this.after(afterMs, () => this.#empty(worker, process));
    }
    if (signal === SIGNALS.SIGKILL) return this.#exitAfter(5, worker, process, "SIGKILL");
    // Descriptors that only the keeper held are lost with it.
    const leaves = this.#keeperFate === "dies" ? 0 : this.#random.pick([0, 0, 0, 1, 3]);
    for (let left = leaves; left > 0; left--) this.#leave(worker, process);
    this.#exitAfter(ignoresTerm ? PATIENCE_MS : stopMs, worker, process, "exit 0");
  }

  /** It stores a descriptor for a later worker. */
  #leave(worker: number, process: Process): void {
    const sender = { pid: process.pid, uid: 0, gid: 0 };
    const how = this.#random.pick(["sent", "numbered"] as const);
    this.after(0, () => {
      if (process.state !== "running") return;
      this.#keeper.processNotifies(worker, this.#left.say(how), sender, how === "sent" ? 1 : 0);
    });
  }

  #exitAfter(ms: number, worker: number, process: Process, how: string): void {
    this.after(ms, () => this.#exit(worker, process, how));
  }

  #exit(worker: number, process: Process, how: string): void {
    // It was signalled before it was executed, so it ends as soon as it runs.
    if (process.state === "starting") return this.#exitAfter(1, worker, process, how);
    if (process.state === "gone" || process.state === "lingering") return;
    this.#keeper.processSays(worker, "last words");
    process.ending = endingOf(how);
    const { rest } = process.behaviour;
    if (rest === null) return this.#empty(worker, process);
    process.state = "lingering";
    this.#keeper.mainProcessExited(worker, process.ending, rest.count);
  }

  /** All of its processes have ended. */
  #empty(worker: number, process: Process): void {
    if (process.state === "gone") return;
    process.state = "gone";
    this.#keeper.processExited(worker, process.ending);
  }

  // Invariants --------------------------------------------------------------------------------------------------------

  /** With no more requests and failures: rollouts have ended, requests are answered, and all wanted workers run. */
  #expectRest(): void {
    const service = this.#journalled("service");
    // If a rollback restores nothing, the workers may be of both generations.
    const isMixed = service?.rollout?.rollingBack?.told && !service.manner.restores;
    if (service?.rollout && !isMixed) this.#fail("a rollout did not end");
    if (service?.pendingRecord) this.#fail("a record did not end");
    const { unanswered } = this.#clients;
    if (unanswered.length > 0) this.#fail(`without an answer: ${unanswered.join(", ")}`);
    const wanted = this.#journalled(`generation/${service?.current}`)?.instances ?? 0;
    const running = [...this.#processes.values()].filter((process) => process.state === "running").length;
    if (service?.phase.kind === "running" && this.#respawns && running !== wanted)
      this.#fail(`${running} of ${wanted} workers are there`);
    if (service?.phase.kind === "running" && !this.#journalled("serviceManager")?.told.isReady)
      this.#fail("the service manager was never told that crank is ready");
    const lost = this.#left.lost((handle) => this.#journalled(`stored/${handle}`) !== null);
    if (lost !== null) this.#fail(lost);
    if (running !== this.#keeper.workersAlive)
      this.#fail(
        `the keeper has ${this.#keeper.workersAlive} workers, and ${running} live: ${this.#living().map(({ pid }) => pid)}`,
      );
  }

  // biome-ignore lint/suspicious/noExplicitAny: a look at the supervisor's journal, from outside
  #journalled(key: string): any {
    const bytes = this.#keeper.journalled(key);
    return bytes === undefined ? null : JSON.parse(new TextDecoder().decode(bytes));
  }

  #expectEnd(): void {
    if (this.#status === null) this.#fail("it was told to shut down, and it is still there");
    const { unanswered } = this.#clients;
    if (unanswered.length > 0 && this.#isCalm) this.#fail(`without an answer at the end: ${unanswered.join(", ")}`);
    this.#expectRecord();
  }

  /** At any time, the record can be read completely: each good deploy once, in order, and not too many. */
  #expectRecord(): void {
    const text = this.#files.get(RECORD);
    if (text === undefined || text === this.#checkedRecord) return;
    this.#checkedRecord = text;
    const history: readonly { readonly generation: number }[] = JSON.parse(text).crank?.history ?? [];
    const numbers = history.map(({ generation }) => generation);
    const isOrdered = numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));
    if (!isOrdered || numbers.length > HISTORY_LENGTH) this.#fail(`the record has the runs ${numbers.join(", ")}`);
    const reading = parseRecord(text, DEFAULTS, "/");
    if (reading.kind !== "history" || reading.leftOut.length > 0 || reading.history.length < numbers.length)
      this.#fail("the record cannot be read");
  }

  #fail(message: string): never {
    throw new Broken(message, this.#trace);
  }
}

const endingOf = (how: string): Ending => {
  if (how.startsWith("exit ")) return { ending: 0, status: Number(how.slice(5)) };
  return { ending: 1, status: how === "SIGKILL" ? SIGNALS.SIGKILL : SIGNALS.SIGSEGV };
};

/** Commands of an upgrade that have no lasting effect. */
const isOfUpgrade = (command: Command): boolean =>
  UPGRADE_COMMANDS.has(command.kind) ||
  (command.kind === "spawn" && kindOf(command.worker) === "upgradeCheck") ||
  (command.kind === "closeHandle" && command.handle >= 2 ** 33);
const UPGRADE_COMMANDS: ReadonlySet<Command["kind"]> = new Set([
  "copyJournal",
  "rehearse",
  "replaceSupervisor",
  "setProgram",
  // Only checks.
  "watchName",
  "execute",
]);

const CHECKED = new TextEncoder().encode(
  JSON.stringify({ crank: "2", protocol: PROTOCOL_VERSION, home: "/opt/crank", runtime: "/opt/crank/bin/runtime" }),
);

const READY = new TextEncoder().encode("READY=1");

/** A record of the original crank, which this crank deploys when it starts. */
const OLD_RECORD = `${JSON.stringify({ cwd: "/", command: ["/bin/server"], start_timeout: 3e9, stop_timeout: 1e9 })}\n`;
