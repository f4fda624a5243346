// The simulated keeper's commands: what each does in a world without a kernel, and which handles and barriers there are.
import { COMMANDS, type Command, type Greeting } from "./protocol.ts";
import type { Happening } from "./simulated-events.ts";
import type { SimulatedStreams } from "./simulated-streams.ts";
import type { SimulatedWorkers } from "./simulated-workers.ts";
import type { CommandOf, Failing, SimulatedWorld } from "./simulated-world.ts";

const EBADF = 9;
const QUEUE_LIMIT = 4096;

/** What commands are carried out on, and how what comes of them is told. */
export type Surface = {
  readonly world: SimulatedWorld;
  readonly workers: SimulatedWorkers;
  readonly streams: SimulatedStreams;
  readonly post: (happening: Happening) => void;
};

export class SimulatedCommands {
  readonly #surface: Surface;
  readonly #handles = new Map<number, Uint8Array>();
  #barriers: { readonly token: number; readonly start: number }[] = [];
  #exit: CommandOf<"exit"> | null = null;

  constructor(surface: Surface) {
    this.#surface = surface;
  }

  /** The status that the keeper was told to end with; null: it was not. */
  get exitStatus(): number | null {
    return this.#exit?.status ?? null;
  }

  hello(): Greeting[] {
    return [...this.#handles].map(([handle, address]) => ({ kind: "helloHandle", handle, address }));
  }

  /** Tells of the barriers behind which everything is decided. */
  checkBarriers(): void {
    const { workers, post } = this.#surface;
    for (let barrier = this.#barriers[0]; barrier && workers.isDecided(barrier.start); barrier = this.#barriers[0]) {
      this.#barriers.shift();
      post({ kind: "reached", token: barrier.token });
    }
  }

  /** What only a kernel can do is taken as done. */
  carryOut(command: Command): void {
    const { world, workers, streams } = this.#surface;
    world.carriedOut(command);
    switch (command.kind) {
      case "openSocket":
        return this.#open(command);
      case "closeHandle":
        this.#handles.delete(command.handle);
        return;
      case "statSocket":
        return this.#stat(command);
      case "spawn":
        return workers.spawn(command);
      case "signal":
        return workers.signal(command);
      case "sendDatagram":
        return this.#send(command);
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
    post({ kind: "opened", handle, domain, type, listening: opened.listening ? 1 : 0, address });
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
