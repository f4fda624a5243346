// The simulated keeper under test: time passes when a test waits, and workers follow their arguments.
import { encodeCommands, MessageDecoder } from "../../../src/keeper/frames.ts";
import { type Command, UNCHANGED } from "../../../src/keeper/protocol.ts";
import { Timeline } from "../../lives/timeline.ts";
import { SimulatedKeeper } from "../../simulator/keeper.ts";
import type { Ending } from "../../simulator/workers.ts";
import type { Failing, Opened, SimulatedSupervisor, SimulatedWorld } from "../../simulator/world.ts";
import type { Client, CommandOf, KeeperUnderTest, SupervisorEnd } from "./keeper-under-test.ts";
import { MessageQueue } from "./message-queue.ts";

export const startSimulated = async (): Promise<KeeperUnderTest> => {
  const world = new World();
  world.keeper.start();
  return world;
};

type Process = {
  readonly pid: number;
  readonly ignored: Set<number>;
  isRunning: boolean;
  /** Its remaining processes, by the signal that each ignores. */
  rest: ReadonlySet<number>[];
  ending: Ending;
};

const SIGKILL = 9;
const SIGABRT = 6;
const ENOENT = 2;
const CONTROL = 2;

class World implements SimulatedWorld, KeeperUnderTest {
  readonly keeper: SimulatedKeeper;
  readonly workerFile = "worker";
  readonly #timeline = new Timeline();
  readonly #processes = new Map<number, Process>();
  readonly #clients = new Map<number, { heard: string; closed: () => void }>();
  readonly #supervisors: SupervisorEnd[] = [];
  readonly #ended = Promise.withResolvers<number>();
  #now = 5000;
  #pids = 100;

  constructor() {
    this.keeper = new SimulatedKeeper(this, { args: [], cwd: "/", realtimeOffset: 1 });
  }

  /** Lets time pass until the condition holds. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#timeline.next === Number.POSITIVE_INFINITY) throw new Error("what is waited for will never happen");
      this.#now = Math.max(this.#now, this.#timeline.next);
      this.#timeline.happen();
    }
  }

  // The keeper's world -------------------------------------------------------------------------------------------------

  readonly now = (): number => this.#now;
  after(ms: number, happen: () => void): void {
    this.#timeline.plan(this.#now + ms, happen);
  }
  startCandidate(): { afterMs: number; ending: null } {
    return { afterMs: 1, ending: null };
  }
  rehearse(): { afterMs: number; status: number } {
    return { afterMs: 1, status: 0 };
  }
  openSocket(command: CommandOf<"openSocket">): Opened | Failing {
    return { address: command.address, listening: command.backlog > 0 };
  }
  answer(connection: number, bytes: Uint8Array): void {
    const client = this.#clients.get(connection);
    if (client) client.heard += new TextDecoder().decode(bytes);
  }
  hangUp(connection: number): void {
    this.#clients.get(connection)?.closed();
  }
  log(): void {}
  carriedOut(_command: Command): void {}
  adoptProcess(): "gone" {
    return "gone";
  }
  takeDescriptor(): null {
    return null;
  }
  isKilledHere(): boolean {
    return false;
  }
  keeperKilled(): void {}
  readonly ended = this.#ended.promise;
  keeperEnded(status: number): void {
    this.#ended.resolve(status);
  }

  startSupervisor(): SimulatedSupervisor {
    const decoder = new MessageDecoder();
    const messages = new MessageQueue();
    const gone = Promise.withResolvers<void>();
    let isAlive = true;
    const end = (): void => {
      isAlive = false;
      messages.end("the supervisor is gone");
      gone.resolve();
    };
    const endWith = async (how: Parameters<SimulatedKeeper["supervisorEnded"]>[0]): Promise<void> => {
      if (!isAlive) return;
      end();
      this.keeper.supervisorEnded(how);
    };
    this.#supervisors.push({
      sendBytes: (bytes) => {
        if (isAlive) this.keeper.hear(bytes);
      },
      send: (...commands) => {
        if (isAlive) this.keeper.hear(encodeCommands(commands));
      },
      next: async () => {
        await this.#until(() => !messages.isEmpty || !isAlive);
        return messages.next();
      },
      kill: () => endWith({ ending: 1, status: SIGKILL, fromOutside: true }),
      crash: () => endWith({ ending: 1, status: SIGABRT, fromOutside: false }),
      leave: () => endWith({ ending: 0, status: 0, fromOutside: false }),
      gone: gone.promise,
    });
    return {
      receive: (bytes) => {
        for (const message of decoder.push(bytes)) messages.push(message);
      },
      kill: end,
    };
  }

  // Workers ------------------------------------------------------------------------------------------------------------

  startProcess(command: CommandOf<"spawn">): void {
    const { worker, file, args } = command;
    if (file !== this.workerFile)
      return this.after(1, () => this.keeper.processNotStarted(worker, { step: "exec", errno: ENOENT }));
    this.#pids += 1;
    const process: Process = {
      pid: this.#pids,
      ignored: new Set(),
      isRunning: true,
      rest: [],
      ending: { ending: 0, status: 0 },
    };
    this.#processes.set(worker, process);
    this.after(1, () => {
      this.keeper.processStarted(worker, process.pid, this.#now);
      this.#perform(worker, process, args.slice(1));
    });
  }

  #perform(worker: number, process: Process, steps: readonly string[]): void {
    for (const step of steps) {
      const [word = "", ...rest] = step.split(" ");
      const value = rest.join(" ");
      if (word === "say") this.keeper.processSays(worker, value);
      else if (word === "notify")
        this.keeper.processNotifies(worker, new TextEncoder().encode(value), { pid: process.pid, uid: 0, gid: 0 });
      else if (word === "store")
        this.keeper.processNotifies(
          worker,
          new TextEncoder().encode(`FDSTORE=1\nFDNAME=${value}`),
          { pid: process.pid, uid: 0, gid: 0 },
          1,
        );
      else if (word === "leave") process.rest.push(new Set(process.ignored));
      else if (word === "ignore") process.ignored.add(Number(value));
      else if (word === "raise") return this.#exit(worker, process, 1, Number(value));
      else if (word === "exit") return this.#exit(worker, process, 0, Number(value));
      else return;
    }
    this.#exit(worker, process, 0, 0);
  }

  #exit(worker: number, process: Process, ending: 0 | 1, status: number): void {
    if (!process.isRunning) return;
    process.isRunning = false;
    process.ending = { ending, status };
    if (process.rest.length === 0) this.keeper.processExited(worker, process.ending);
    else this.keeper.mainProcessExited(worker, process.ending, process.rest.length);
  }

  #signalRest(worker: number, process: Process, signal: number): void {
    const left = process.rest.filter((ignored) => signal !== SIGKILL && ignored.has(signal));
    const killed = process.rest.length - left.length;
    process.rest = left;
    const names = Array.from({ length: killed }, (_, index) => ({ pid: 1000 + index, command: "worker leave" }));
    if (signal === SIGKILL && killed > 0) this.keeper.processesKilled(worker, names);
    if (left.length === 0 && killed > 0) this.keeper.processExited(worker, process.ending);
  }

  signalProcess(worker: number, signal: number): void {
    const process = this.#processes.get(worker);
    if (process && !process.isRunning) return this.after(1, () => this.#signalRest(worker, process, signal));
    if (process && !process.ignored.has(signal)) this.after(1, () => this.#exit(worker, process, 1, signal));
  }

  // The test's view ----------------------------------------------------------------------------------------------------

  async supervisor(): Promise<SupervisorEnd> {
    await this.#until(() => this.#supervisors.length > 0);
    const end = this.#supervisors.shift();
    if (!end) throw new Error("no supervisor");
    return end;
  }

  readonly program = "/opt/crank/bin/crank";
  replacement(): CommandOf<"replaceSupervisor"> {
    return { kind: "replaceSupervisor", runtime: "", bundle: "", file: "", args: [], unset: [], fd: 3, patienceMs: 0 };
  }
  candidate(): Promise<SupervisorEnd> {
    return this.supervisor();
  }

  controlSocket(handle: number): CommandOf<"openSocket"> {
    const address = new Uint8Array([1, 0, 120]);
    return {
      kind: "openSocket",
      handle,
      domain: 1,
      type: 1,
      protocol: 0,
      address,
      options: [],
      backlog: 64,
      mode: 0o600,
      uid: UNCHANGED,
      gid: UNCHANGED,
    };
  }

  async connect(): Promise<Client> {
    const connection = this.keeper.clientConnects(CONTROL, { pid: 77, uid: 0, gid: 0 });
    const closed = Promise.withResolvers<void>();
    const state = { heard: "", closed: closed.resolve };
    this.#clients.set(connection, state);
    return {
      send: (text) => this.keeper.clientSends(connection, new TextEncoder().encode(text)),
      hangUp: () => this.keeper.clientHangsUp(connection),
      hears: (text) => this.#until(() => state.heard.endsWith(text)),
      closed: closed.promise,
    };
  }

  signal(signal: number): void {
    this.keeper.signalled(signal);
  }
  async stop(): Promise<void> {}
}
