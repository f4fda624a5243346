// A real keeper for a test that acts as one supervisor after the other: each batch commits all events that were read
// before it.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command, EventKind, Message } from "../../../src/keeper/protocol.ts";
import { UNCHANGED } from "../../../src/keeper/protocol.ts";
import { AF_UNIX, internetAddress, SOCK_DGRAM, SOCK_STREAM, unixAddress } from "../../../src/supervisor/os/sockaddr.ts";
import { ATTACH, type EventOf, type SupervisorEnd } from "./keeper-under-test.ts";
import { type RealKeeper, type RealOptions, startReal } from "./real-keeper.ts";

const PATIENCE_MS = 30_000;

export class DrivenKeeper {
  /** Where the keeper runs; the test's own. */
  readonly directory = mkdtempSync(join(tmpdir(), "crank-driven-"));
  #keeper: RealKeeper | null = null;
  #end: SupervisorEnd | null = null;
  #hello: readonly Message[] = [];
  #consumed = 0;

  /** Starts the keeper. Resolves when its first supervisor has read hello and, unless the test does so, attached. */
  async start({ attach = "yes", ...options }: RealOptions & { readonly attach?: "yes" | "no" } = {}): Promise<void> {
    this.#keeper = await startReal({ cwd: this.directory, ...options });
    await this.nextLife();
    if (attach === "yes") this.attach();
  }

  get keeper(): RealKeeper {
    if (!this.#keeper) throw new Error("the keeper was not started");
    return this.#keeper;
  }

  /** The current supervisor. */
  get end(): SupervisorEnd {
    if (!this.#end) throw new Error("no supervisor has been started");
    return this.#end;
  }

  get pid(): number {
    return this.keeper.pid;
  }

  /** The current supervisor's hello. */
  get hello(): readonly Message[] {
    return this.#hello;
  }

  /** The last event that was read. */
  get consumed(): number {
    return this.#consumed;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  attach(): void {
    this.end.send(ATTACH);
  }

  /** Sends one batch that consumes all that has been taken so far. */
  commit(commands: readonly Command[], tickAt = 0): void {
    this.end.send(...commands, { kind: "commit", consumed: this.#consumed, tickAt });
  }

  /** The current supervisor's next message. */
  async next(): Promise<Message> {
    const message = await this.end.next();
    if ("seq" in message) this.#consumed = message.seq;
    return message;
  }

  /** The next event, which must be of this kind. */
  async event<K extends EventKind>(kind: K): Promise<EventOf<K>> {
    const message = await this.next();
    if (message.kind !== kind) throw new Error(`waited for ${kind}, got ${JSON.stringify(message)}`);
    // The kind was checked.
    return message as EventOf<K>;
  }

  /** Reads events until one of this kind. Returns it. */
  async eventually<K extends EventKind>(kind: K): Promise<EventOf<K>> {
    for (;;) {
      const message = await this.next();
      // The kind was checked.
      if (message.kind === kind) return message as EventOf<K>;
    }
  }

  /** Kills the current supervisor from outside. Returns the hello of the next. */
  async replaceSupervisor(): Promise<readonly Message[]> {
    await this.end.kill();
    return this.nextLife();
  }

  /** Waits for the next supervisor's hello, or this one's. */
  async nextLife(next?: SupervisorEnd): Promise<readonly Message[]> {
    this.#end = next ?? (await this.keeper.supervisor());
    const hello: Message[] = [];
    while (hello.at(-1)?.kind !== "helloEnd") hello.push(await this.end.next());
    this.#hello = hello;
    return hello;
  }

  async clean(): Promise<void> {
    await this.#keeper?.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Waits until `look` returns a value. */
export const until = async <T>(what: string, look: () => T | undefined | false): Promise<T> => {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(2);
  }
};

/** Waits until a file exists. */
export const untilThere = (path: string): Promise<true> => until(path, () => existsSync(path));

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const sh = (script: string): string[] => ["/bin/sh", "-c", script];
export const python = (program: string): string[] => ["/usr/bin/env", "python3", "-c", program];

/** Opens a unix socket at a path. */
export const openUnix = (handle: number, path: string, type: number, mode = 0o600) =>
  ({
    kind: "openSocket",
    handle,
    domain: AF_UNIX,
    type,
    protocol: 0,
    address: unixAddress(path),
    options: [],
    backlog: type === SOCK_DGRAM ? 0 : 16,
    mode,
    uid: UNCHANGED,
    gid: UNCHANGED,
  }) as const;

/** Opens a tcp socket at a free port. */
export const openTcp = (handle: number, host: string, options: readonly number[] = []) => {
  const { domain, bytes: address } = internetAddress(host, 0);
  return {
    kind: "openSocket",
    handle,
    domain,
    type: SOCK_STREAM,
    protocol: 0,
    address,
    options,
    backlog: 16,
    mode: UNCHANGED,
    uid: UNCHANGED,
    gid: UNCHANGED,
  } as const;
};
