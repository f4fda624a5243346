// The context of a crankctl command: its crank, and its output.
import { host } from "#host";
import { type Client, type ControlAddress, connect, type Notification } from "../../control/client.ts";
import { AddressError, parseUri } from "../../supervisor/os/addresses.ts";
import { socketDirectories } from "../directories.ts";
import { type FlagTable, type FlagValues, UsageError } from "../flags.ts";
import type { Output } from "../output.ts";
import { runningServices, runningText, socketPath } from "../services.ts";
import { strangeOwner } from "../socket-owner.ts";
import { escapeControls, escapeLines, safeJson } from "../terminal.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The flags of every command; they may stand before the command too. */
export const COMMON_FLAGS = {
  name: {
    kind: "text",
    argument: "NAME",
    group: "Service",
    environment: "CRANK_NAME",
    help: "the service; needed only where several run",
  },
  prefix: {
    kind: "text",
    argument: "DIR",
    group: "Service",
    environment: "CRANK_PREFIX",
    help: "directory of the services' files, if not in the default directories",
  },
  ctl: {
    kind: "text",
    argument: "URI",
    group: "Service",
    environment: "CRANK_CTL",
    help: "the control socket: PATH, unix://PATH, HOST:PORT or tcp://HOST:PORT; overrides -name",
  },
  json: { kind: "switch", group: "Output", help: "print JSON, one document per line" },
} as const satisfies FlagTable;
export type CommonFlags = FlagValues<typeof COMMON_FLAGS>;

/** The address of the crank that the flags select. Throws UsageError. */
export const controlAddress = async (flags: CommonFlags, environment: Environment): Promise<ControlAddress> => {
  if (flags.ctl !== undefined) return addressOf(flags.ctl, environment);
  const directories = directoriesOf(flags, environment);
  if (flags.name !== undefined && flags.name !== "") return { kind: "unix", path: socketPath(flags.name, directories) };
  const running = await runningServices(directories);
  const [only] = running;
  if (only !== undefined && running.length === 1) return { kind: "unix", path: only.path };
  throw new UsageError(`service: none given. Use -name NAME or -ctl URI. ${runningText(running, directories)}`);
};

/** The directories in which the control sockets are looked for. */
export const directoriesOf = (flags: Pick<CommonFlags, "prefix">, environment: Environment): readonly string[] =>
  socketDirectories(flags.prefix, environment, host.processes.identity().uid);

const addressOf = (uri: string, environment: Environment): ControlAddress => {
  const address = parsed(uri);
  if (address.kind === "unix" && address.type === "stream") return { kind: "unix", path: address.path };
  if (address.kind !== "internet" || address.transport !== "tcp")
    throw new UsageError(`-ctl ${uri}: a control socket must be a unix or tcp stream`);
  const token = environment.CRANK_CTL_TOKEN ?? "";
  if (token === "")
    throw new UsageError(`-ctl ${uri}: a tcp control socket requires a secret. Set CRANK_CTL_TOKEN to that of crank.`);
  return { kind: "tcp", host: address.host === "" ? "localhost" : address.host, port: address.port, token };
};

const parsed = (uri: string) => {
  try {
    return parseUri(uri).address;
  } catch (error) {
    if (error instanceof AddressError) throw new UsageError(`-ctl ${error.message}`, { cause: error });
    throw error;
  }
};

/** A running command: its connection and its output format. */
export class Session {
  readonly address: ControlAddress;
  readonly json: boolean;
  /** What messages begin with, `crankctl run`. */
  readonly label: string;
  readonly out: Output;
  readonly err: Output;
  #isOwnerKnown = false;
  #isStrangers = false;

  constructor(address: ControlAddress, json: boolean, out: Output, err: Output, label = "crankctl") {
    this.address = address;
    this.label = label;
    this.json = json;
    this.out = out;
    this.err = err;
  }

  async connect(onNotification: (notification: Notification) => void = () => {}): Promise<Client> {
    const client = await connect(this.address, onNotification);
    if (this.#isOwnerKnown) return client;
    this.#isOwnerKnown = true;
    const strange = this.address.kind === "unix" ? await strangeOwner(this.address.path) : null;
    this.#isStrangers = strange !== null;
    if (strange !== null) this.err.write(`WARNING: ${escapeControls(strange)}\n`);
    return client;
  }

  /** Whether the connected socket belongs neither to root nor to the caller. */
  get isStrangers(): boolean {
    return this.#isStrangers;
  }

  /** Sends one request on its own connection. */
  async ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.connect();
    try {
      return await question(client);
    } finally {
      client.close();
    }
  }

  /** Prints a result: as JSON with -json, otherwise as the text of `describe`. */
  print<T>(result: T, describe: (result: T) => string): void {
    this.out.write(this.json ? `${safeJson(result)}\n` : escapeLines(describe(result)));
  }
}
