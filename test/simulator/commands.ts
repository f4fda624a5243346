// The simulated keeper's commands: what each does without a kernel, with the handles and barriers.
import { COMMANDS, type Command, type Greeting } from "../../src/keeper/protocol.ts";
import type { PostedEvent } from "./events.ts";
import type { SimulatedStreams } from "./streams.ts";
import type { SimulatedWorkers } from "./workers.ts";
import type { CommandOf, Failing, SimulatedWorld } from "./world.ts";

const ESRCH = 3;
const EBADF = 9;
const EEXIST = 17;
const QUEUE_LIMIT = 4096;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
/** The inode of handle 0's socket, as a simulated /proc shows it. */
const FIRST_INODE = 70;

/** What commands act on, and how their results are reported. */
export type Surface = {
  readonly world: SimulatedWorld;
  readonly workers: SimulatedWorkers;
  readonly streams: SimulatedStreams;
  readonly post: (happening: PostedEvent) => void;
  /** Takes a descriptor that came with an outstanding event; false if there is none. */
  readonly takeDescriptor: (event: number, index: number) => boolean;
  /** Starts the supervisor that is to replace the present one. */
  readonly candidate: () => void;
  /** Lets another keeper's program test a takeover. */
  readonly rehearse: () => void;
};

export class SimulatedCommands {
  readonly #surface: Surface;
  readonly #handles = new Map<number, Uint8Array>();
  /** The handles for which a hangup of the peer is reported. */
  readonly #polled = new Set<number>();
  #barriers: { readonly token: number; readonly start: number }[] = [];
  #exit: CommandOf<"exit"> | null = null;
  #executes = false;

  constructor(surface: Surface) {
    this.#surface = surface;
  }

  /** The status with which the keeper was told to exit; null: it was not. */
  get exitStatus(): number | null {
    return this.#exit?.status ?? null;
  }

  /** Whether the keeper was told to re-execute itself. Resets the flag. */
  takeExecution(): boolean {
    const executes = this.#executes;
    this.#executes = false;
    return executes;
  }

  hello(): Greeting[] {
    return [...this.#handles].map(([handle, address]) => ({
      kind: "helloHandle",
      handle,
      inode: FIRST_INODE + handle,
      address,
    }));
  }

  /** Reports the barriers for which all earlier starts are decided. */
  checkBarriers(): void {
    const { workers, post } = this.#surface;
    for (let barrier = this.#barriers[0]; barrier && workers.isDecided(barrier.start); barrier = this.#barriers[0]) {
      this.#barriers.shift();
      post({ kind: "reached", token: barrier.token });
    }
  }

  /** Commands that only a kernel could carry out count as done. */
  applyEffect(command: Command): void {
    const { world, workers, streams } = this.#surface;
    world.carriedOut(command);
    switch (command.kind) {
      case "openSocket":
        return this.#open(command);
      case "closeHandle":
        return this.#close(command.handle);
      case "giveName":
        if (!this.#handles.has(command.handle)) this.#fail(command, command.handle, { step: "chown", errno: EBADF });
        return;
      case "bindAgain":
        return this.#bindAgain(command);
      case "keepDescriptor":
        return this.#keep(command);
      case "takeDescriptor":
        return this.#take(command);
      case "storeHandle":
        return this.#store(command);
      case "sendDescriptors":
        return this.#sendDescriptors(command);
      case "statSocket":
        return this.#stat(command);
      case "spawn":
        return workers.spawn(command);
      case "signal":
        return workers.signal(command);
      case "watchdog":
        return workers.watch(command);
      case "followMain":
        return workers.followMain(command);
      case "adopt":
        return this.#fail(command, command.worker, workers.adopt(command));
      case "sendDatagram":
        return this.#send(command);
      case "acceptHeads":
        streams.takeHeadsOn(command.handle);
        return;
      case "write":
        return this.#fail(command, command.connection, streams.write(command));
      case "log":
        return world.log(command.sink, command.bytes);
      case "barrier":
        this.#barriers.push({ token: command.token, start: workers.starts });
        return;
      case "mark":
        this.#surface.post({ kind: "reached", token: command.token });
        return;
      case "exit":
        this.#exit = command;
        return;
      case "execute":
        this.#executes = true;
        return;
      case "replaceSupervisor":
        return this.#surface.candidate();
      case "rehearse":
        return this.#surface.rehearse();
      default:
        return;
    }
  }

  #fail(command: Command, id: number, failing: Failing | null): void {
    if (failing) this.#surface.post({ kind: "failed", command: COMMANDS[command.kind].code, id, ...failing });
  }

  #open(command: CommandOf<"openSocket">): void {
    const { world, post } = this.#surface;
    const opened = world.openSocket(command);
    if ("errno" in opened) return this.#fail(command, command.handle, opened);
    const { handle, domain, type } = command;
    const { address } = opened;
    this.#handles.set(handle, address);
    const { listening } = opened;
    const told = { listening: listening ? 1 : 0, limit: listening ? command.backlog : 0 };
    post({ kind: "opened", handle, domain, type, ...told, inode: FIRST_INODE + handle, address });
  }

  #bindAgain(command: CommandOf<"bindAgain">): void {
    const { handle, kept } = command;
    const address = this.#handles.get(handle);
    const isTaken = kept > 0 && this.#handles.has(kept);
    if (address === undefined || isTaken)
      return this.#fail(command, handle, { step: "handle", errno: isTaken ? EEXIST : EBADF });
    if (kept > 0) this.#handles.set(kept, address);
    const told = { domain: AF_UNIX, type: SOCK_STREAM, listening: 1, limit: QUEUE_LIMIT, inode: FIRST_INODE + handle };
    this.#surface.post({ kind: "opened", handle, ...told, address });
  }

  /** The name of a socket's file was gone; `state`: its state now. */
  changeName(handle: number, state: number): void {
    if (this.#handles.has(handle)) this.#surface.post({ kind: "nameChanged", handle, state, pid: 0, errno: 0 });
  }

  #close(handle: number): void {
    this.#handles.delete(handle);
    this.#polled.delete(handle);
  }

  #keep(command: CommandOf<"keepDescriptor">): void {
    const { event, index, handle } = command;
    if (!this.#surface.takeDescriptor(event, index))
      return this.#fail(command, handle, { step: "descriptor", errno: EBADF });
    this.#hold(handle);
  }

  /** Every descriptor number is open in a living process. */
  #take(command: CommandOf<"takeDescriptor">): void {
    const { handle, pid, startTime } = command;
    const taken = this.#surface.world.takeDescriptor(command);
    if (taken) {
      this.#handles.set(handle, taken.address);
      const told = { listening: 1, limit: QUEUE_LIMIT, inode: FIRST_INODE + handle };
      this.#surface.post({ kind: "opened", handle, ...told, ...taken });
    } else if (this.#surface.workers.isThere(pid, startTime)) this.#hold(handle);
    else this.#fail(command, handle, { step: "process", errno: ESRCH });
  }

  #hold(handle: number): void {
    const address = new Uint8Array();
    this.#handles.set(handle, address);
    const told = { domain: AF_UNIX, type: SOCK_STREAM, listening: 0, limit: 0, inode: FIRST_INODE + handle };
    this.#surface.post({ kind: "opened", handle, ...told, address });
  }

  #store(command: CommandOf<"storeHandle">): void {
    const { handle, poll } = command;
    if (!this.#handles.has(handle)) return this.#fail(command, handle, { step: "watch", errno: EBADF });
    if (poll === 1) this.#polled.add(handle);
    else this.#polled.delete(handle);
  }

  /** The peer of a handle hangs up. Reported once. */
  hangUp(handle: number): void {
    if (this.#polled.delete(handle)) this.#surface.post({ kind: "hungUp", handle });
  }

  #sendDescriptors(command: CommandOf<"sendDescriptors">): void {
    const { worker, handles } = command;
    const isMissing = handles.some((handle) => !this.#handles.has(handle));
    const failing = this.#surface.workers.missing(worker) ?? (isMissing ? { step: "send", errno: EBADF } : null);
    if (failing) return this.#fail(command, worker, failing);
    for (const handle of handles) this.#close(handle);
    this.#surface.post({ kind: "descriptorsSent", worker });
  }

  #stat(command: CommandOf<"statSocket">): void {
    const { request, handle } = command;
    if (!this.#handles.has(handle)) return this.#fail(command, request, { step: "stat", errno: EBADF });
    this.#surface.post({ kind: "socketStat", request, handle, queue: 0, limit: QUEUE_LIMIT });
  }

  #send(command: CommandOf<"sendDatagram">): void {
    const { handle, worker } = command;
    this.#fail(command, worker || handle, worker > 0 ? this.#surface.workers.missing(worker) : null);
  }
}
