// A whole crank in virtual time, from one seed: the real supervisor, a simulated keeper, simulated processes and
// clients. The same life can be repeated with the supervisor killed at any moment, with the same result. The world is one
// class, although a long one: whatever happens in it shares its time and its random numbers.

import { CRANK } from "../../../src/commands/crank/front-end.ts";
import { POLICY } from "../../../src/frontends/einhyrningsins/invocation.ts";
import { type Command, NAME_STATES } from "../../../src/keeper/protocol.ts";
import type { Platform } from "../../../src/supervisor/os/platform.ts";
import type { FrontEnd } from "../../../src/supervisor/state/store.ts";
import { SimulatedKeeper } from "../../simulator/keeper.ts";
import type { Ending } from "../../simulator/workers.ts";
import type { CommandOf, Failing, Opened, SimulatedSupervisor, SimulatedWorld, Taken } from "../../simulator/world.ts";
import { Random } from "../random.ts";
import { Timeline } from "../timeline.ts";
import { Clients } from "./clients.ts";
import { recordProblem, restProblem } from "./expectations.ts";
import { leftProcesses } from "./left.ts";
import { Broken, type Killing, type Life, NO_UPGRADES, type Upgrading } from "./life.ts";
import { simulatedPlatform, WALL_OFFSET } from "./platform.ts";
import { PATIENCE_MS, Processes, SIGNALS } from "./processes.ts";
import { type Moment, SupervisorLife } from "./supervisor-life.ts";
import { describeCommand, describeUndisturbed } from "./undisturbed.ts";
import { isOfUpgrade } from "./upgrade-commands.ts";

const CALM_AT = 20_000;
/** Watchdogs never end, so the end is at this time: everything else has happened by then. */
const REST_AT = CALM_AT + 1.5 * PATIENCE_MS;
const END_AT = 1_000_000;
const MAX_STEPS = 50_000;
const RECORD = "/sim/one.conf";
const JOURNAL = "/sim/one.run/journal";
const CONTROL_HANDLE = 1;
const SERVICE_HANDLE = 10;
/** Each keeper's connections have a range of numbers of their own. */
const CONNECTIONS_OF_A_KEEPER = 1_000_000;

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
  readonly #processes: Processes;
  #checkedRecord = "";
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
  #isCalm = false;
  #isAccepting = false;
  #status: number | null = null;
  #diskFullUntil = 0;
  /** Random numbers for upgrades only, so that upgrades do not change anything else. */
  readonly #upgradeFate: Random;
  readonly #names: Random;

  constructor(seed: number, killing: Killing, frontEnd: FrontEnd, upgrading: Upgrading, keeperFate: "lives" | "dies") {
    this.#keeperFate = keeperFate;
    this.#frontEnd = frontEnd;
    this.#upgrading = upgrading;
    this.#upgradeFate = new Random(seed ^ 0x0b9d);
    this.#names = new Random(seed ^ 0x9a3e);
    this.#random = new Random(seed);
    this.#fate = new Random(seed ^ 0x5eed);
    this.#killing = killing;
    this.#processes = new Processes(seed, {
      random: this.#random,
      upgradeFate: this.#upgradeFate,
      keepers: keeperFate === "dies" ? "die" : "live",
      keeper: () => this.#keeper,
      isFirstKeeper: () => this.#keepers === 1,
      isCalm: () => this.#isCalm,
      now: this.now,
      after: (ms, happen) => this.after(ms, happen),
      fail: (message) => this.#fail(message),
    });
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
    this.#processes.calmDown();
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
    this.#processes.keeperKilled(this.#fate);
    this.after(this.#fate.between(1, 800), () => {
      this.#keeper = this.#newKeeper();
      this.#keeper.start();
    });
  }

  adoptProcess(command: CommandOf<"adopt">): "main" | { readonly rest: number } | "gone" {
    return this.#processes.adopt(command);
  }

  startProcess(command: CommandOf<"spawn">): void {
    this.#processes.start(command);
  }

  signalProcess(worker: number, signal: number): void {
    this.#processes.signal(worker, signal);
  }

  takeDescriptor({ handle, pid }: CommandOf<"takeDescriptor">): Taken | null {
    const socket = this.#serviceSocket?.handle === handle ? this.#serviceSocket : null;
    const isThere = this.#processes.all().some((process) => process.pid === pid);
    return isThere && socket ? { domain: socket.domain, type: socket.type, address: socket.address } : null;
  }

  #serviceSocket: CommandOf<"openSocket"> | null = null;

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
      processes: leftProcesses(() => this.#processes.all()),
      descriptorTarget: (pid, fd) => (this.#processes.isAstray(pid) ? null : platform.descriptorTarget(pid, fd)),
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
    const wrong = closes ? this.#processes.stored.closed(command.handle) : null;
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

  // Invariants --------------------------------------------------------------------------------------------------------

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

  #expectRest(): void {
    const wrong = restProblem({
      journalled: (key) => this.#journalled(key),
      unanswered: this.#clients.unanswered,
      running: this.#processes.living().map(({ pid }) => pid),
      known: this.#keeper.workersAlive,
      respawns: this.#respawns,
      lost: this.#processes.stored.lost((handle) => this.#journalled(`stored/${handle}`) !== null),
    });
    if (wrong !== null) this.#fail(wrong);
  }

  /** At any time, the record can be read completely. */
  #expectRecord(): void {
    const text = this.#files.get(RECORD);
    if (text === undefined || text === this.#checkedRecord) return;
    this.#checkedRecord = text;
    const wrong = recordProblem(text);
    if (wrong !== null) this.#fail(wrong);
  }

  #fail(message: string): never {
    throw new Broken(message, this.#trace);
  }
}

/** A record of the original crank, which this crank deploys when it starts. */
const OLD_RECORD = `${JSON.stringify({ cwd: "/", command: ["/bin/server"], start_timeout: 3e9, stop_timeout: 1e9 })}\n`;
