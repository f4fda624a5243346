// What crank uses of Node's other modules, on the host: net, tty, os, path, dns, child_process.
import { host } from "#host";
import { HostError } from "../../src/host/errors.ts";
import type { Stream, StreamHandlers } from "../../src/host/streams.ts";

const { processes, streams, terminal } = host;

type Listener = (...values: readonly unknown[]) => void;

export const isatty = (fd: number): boolean => terminal.isTerminal(fd);
export const setPriority = (pid: number, nice: number): void => processes.setPriority(pid, nice);

// child_process ---------------------------------------------------------------------------------------------------------

type SpawnOptions = { readonly timeout?: number };
type Spawned = { readonly status: number | null; readonly stdout: string };

export const askNow = (program: string, words: readonly string[], { timeout = 60_000 }: SpawnOptions = {}): Spawned => {
  try {
    const { status, output } = processes.askNow([program, ...words], timeout);
    return { status, stdout: output };
  } catch {
    return { status: null, stdout: "" };
  }
};
export const spawnSync = askNow;

// dns -------------------------------------------------------------------------------------------------------------------

/** The keeper takes a supervisor that says nothing for 10 s for dead. */
const LOOKUP_MS = 5_000;
const DATABASES: Readonly<Record<number, string>> = { 4: "ahostsv4", 6: "ahostsv6" };

/** getent(1) asks the system's name service, which a static program cannot load. */
export const lookup = async (
  name: string,
  { family = 0 }: { readonly family?: number } = {},
): Promise<readonly { readonly address: string }[]> => {
  const { status, output } = await processes.ask(["getent", DATABASES[family] ?? "ahosts", name], LOOKUP_MS);
  const addresses = output
    .split("\n")
    .flatMap((line) => line.split(/\s+/, 1))
    .filter((address) => address !== "");
  if (status !== 0 || addresses.length === 0) throw new HostError("ENOTFOUND", `the host ${name} is not known`);
  return [...new Set(addresses)].map((address) => ({ address }));
};

// path ------------------------------------------------------------------------------------------------------------------

export const resolve = (...parts: readonly string[]): string => {
  const absolute = parts.findLastIndex((part) => part.startsWith("/"));
  const all = absolute >= 0 ? parts.slice(absolute) : [processes.workingDirectory(), ...parts];
  const names: string[] = [];
  for (const name of all.join("/").split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
};

// net -------------------------------------------------------------------------------------------------------------------

type Target = { readonly path: string } | { readonly host: string; readonly port: number };

const connectTo = async (target: Target, handlers: StreamHandlers): Promise<Stream> => {
  if ("path" in target) return streams.connectUnix(target.path, handlers);
  const isLiteral = /^[\d.]+$|:/.test(target.host);
  const addresses = isLiteral ? [{ address: target.host }] : await lookup(target.host);
  let reason: unknown = null;
  for (const { address } of addresses) {
    try {
      return await streams.connectTcp(address, target.port, handlers);
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
};

export class Socket {
  connecting = true;
  writableEnded = false;
  readonly #listeners = new Map<string, Set<Listener>>();
  #stream: Stream | null = null;

  constructor(from: { readonly fd: number } | Target) {
    const handlers: StreamHandlers = {
      data: (bytes) => this.#emit("data", bytes),
      close: (code) => {
        if (code !== null) this.#emit("error", new HostError(code, `the connection broke: ${code}`));
        this.#emit("close");
      },
    };
    const opening = "fd" in from ? streams.open(from.fd, handlers) : connectTo(from, handlers);
    opening.then(
      (stream) => {
        this.#stream = stream;
        this.connecting = false;
        this.#emit("connect");
      },
      (error: unknown) => {
        this.#emit("error", error);
        this.#emit("close");
      },
    );
  }

  on(event: string, listener: Listener): this {
    const all = this.#listeners.get(event) ?? new Set<Listener>();
    this.#listeners.set(event, all.add(listener));
    return this;
  }

  once(event: string, listener: Listener): this {
    const call: Listener = (...values) => {
      this.off(event, call);
      listener(...values);
    };
    return this.on(event, call);
  }

  off(event: string, listener: Listener): this {
    this.#listeners.get(event)?.delete(listener);
    return this;
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.#stream?.write(bytes);
    void this.#stream?.flushed().then(done);
  }

  end(): void {
    this.writableEnded = true;
    this.#stream?.end();
  }

  destroy(): void {
    this.#stream?.destroy();
    this.#emit("close");
  }

  #emit(event: string, ...values: readonly unknown[]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...values);
  }
}

export const connect = (target: Target): Socket => new Socket(target);
