// The service `web` of a test: its successive cranks, its commands, its workers and its clients.
import { createConnection } from "node:net";
import { join } from "node:path";
import type { EventEntry, HistoryEntry, Info, Status, WorkerInfo } from "../../../src/control/messages.ts";
import { Bench, CRANK, CRANKCTL, type Ended, portOf, type Running, type StartOptions } from "./bench.ts";
import { freePorts } from "./ports.ts";
import { endLeft, killCrank } from "./processes.ts";
import { Talk } from "./talk.ts";
import { waitFor } from "./wait.ts";

export type ServiceOptions = {
  /** The port of every crank of the service: chosen by the kernel, or one that the next crank can have as well. */
  readonly port?: "any" | "fixed";
  /** More flags for every crank of the service. */
  readonly flags?: readonly string[];
  /** Words in front of crank and crankctl: a wrapper. */
  readonly before?: readonly string[];
  /** What `app` deploys. */
  readonly app?: readonly string[];
};

/** A worker as `crankctl ps` shows it; its pid is NaN until its process has been started. */
export type Worker = Omit<WorkerInfo, "pid"> & { readonly pid: number };

export class Service {
  readonly #options: ServiceOptions;
  #bench: Bench | null = null;
  #crank: Running | null = null;
  #fixedPort = 0;
  /** Cranks that were started, and whether one was killed: then workers may be left that do not descend from a crank. */
  #launches = 0;
  #wasKilled = false;
  /** What is ended with each test, and what with the present one. */
  readonly #endings: (() => void | Promise<void>)[] = [];
  #held: (() => void)[] = [];

  constructor(options: ServiceOptions = {}) {
    this.#options = options;
  }

  /** Creates the directory; nothing runs yet. */
  async open(): Promise<void> {
    this.#bench = new Bench();
    if (this.#options.port === "fixed") [this.#fixedPort = 0] = await freePorts(1);
  }

  /** Ends what runs and what a killed crank has left, and removes the directory. */
  async clean(): Promise<void> {
    for (const end of this.#held.splice(0)) end();
    for (const end of this.#endings) await end();
    await this.bench.clean();
    if (this.#wasKilled || this.#launches > 1) await endLeft(this.directory);
    this.#bench = null;
    this.#crank = null;
    this.#wasKilled = false;
    this.#launches = 0;
  }

  /** Runs this at the end of the present test, before its processes are ended. */
  hold(end: () => void): void {
    this.#held.push(end);
  }

  /** Runs this at the end of every test, before its processes are ended. */
  atEnd(end: () => void | Promise<void>): void {
    this.#endings.push(end);
  }

  get bench(): Bench {
    if (!this.#bench) throw new Error("the service has not been opened");
    return this.#bench;
  }

  /** crank's prefix. */
  get directory(): string {
    return this.bench.directory;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** The crank that was started last. */
  get crank(): Running {
    if (!this.#crank) throw new Error("crank has not been started");
    return this.#crank;
  }

  get port(): number {
    return this.#options.port === "fixed" ? this.#fixedPort : portOf(this.crank);
  }

  /** Flags that select the service. */
  get own(): readonly string[] {
    return ["-prefix", this.directory, "-name", "web"];
  }

  /** crank's command line. */
  crankCommand(...args: readonly string[]): readonly string[] {
    const { before = [], flags = [] } = this.#options;
    return [...before, this.program, ...this.own, "-bind", `127.0.0.1:${this.#fixedPort}`, ...flags, ...args];
  }

  /** crankctl's command line. */
  ctlCommand(...args: readonly string[]): readonly string[] {
    return [...(this.#options.before ?? []), CRANKCTL, ...this.own, ...args];
  }

  protected get program(): string {
    return CRANK;
  }

  /** Starts crank with one socket and these flags, and waits until it listens. */
  start(...args: readonly string[]): Promise<Running> {
    return this.startWith({}, ...args);
  }

  startWith(options: StartOptions, ...args: readonly string[]): Promise<Running> {
    return this.launch(this.crankCommand(...args), options);
  }

  /** Starts crank with these addresses in place of its one socket. */
  startOn(addresses: readonly string[], ...args: readonly string[]): Promise<Running> {
    const binds = addresses.flatMap((address) => ["-bind", address]);
    return this.launch([...(this.#options.before ?? []), this.program, ...this.own, ...binds, ...args]);
  }

  /** Starts crank by the test's own command line, and waits until it listens. */
  async launch(command: readonly string[], options: StartOptions = {}): Promise<Running> {
    const crank = this.bench.start(command, options);
    this.#crank = crank;
    this.#launches += 1;
    await this.bench.listens(crank);
    return crank;
  }

  /** Kills crank as the OOM killer would; its workers go on. */
  async kill(): Promise<void> {
    this.#wasKilled = true;
    await killCrank(this.crank);
  }

  /** Starts the next crank, which adopts. */
  async adopt(...args: readonly string[]): Promise<Running> {
    const crank = await this.start(...args);
    await crank.wrote("stderr", "Adopted ");
    return crank;
  }

  async replace(...args: readonly string[]): Promise<Running> {
    await this.kill();
    return this.adopt(...args);
  }

  ctl(...args: readonly string[]): Promise<Ended> {
    return this.bench.run(this.ctlCommand(...args));
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    const { status, stdout, stderr } = await this.ctl(...args, "-json");
    if (status !== 0) throw new Error(`crankctl ${args.join(" ")}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** `crankctl run -wait` with these arguments. */
  run(...args: readonly string[]): Promise<Ended> {
    return this.ctl("run", "-wait", ...args);
  }

  /** The same; it must succeed. */
  async deploy(...args: readonly string[]): Promise<void> {
    const { status, stdout, stderr } = await this.run(...args);
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
  }

  /** Deploys the test's application with these arguments, or with this one and flags of `crankctl run`. */
  app(words: string | readonly string[], ...flags: readonly string[]): Promise<Ended> {
    return this.run(...flags, "--", ...(this.#options.app ?? []), ...(typeof words === "string" ? [words] : words));
  }

  async ps(): Promise<Worker[]> {
    const workers = await this.json<WorkerInfo[]>("ps");
    return workers.map((worker) => ({ ...worker, pid: worker.pid ?? Number.NaN }));
  }

  status(): Promise<Status> {
    return this.json<Status>("status");
  }

  info(): Promise<Info> {
    return this.json<Info>("info");
  }

  history(): Promise<HistoryEntry[]> {
    return this.json<HistoryEntry[]>("history");
  }

  /** All events that crank holds. */
  async events(...args: readonly string[]): Promise<EventEntry[]> {
    const { stdout } = await this.ctl("events", "-once", "-json", ...args);
    const lines = stdout.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line));
  }

  /** The processes that are to stay: a deploy is complete while the ones before it are still being stopped. */
  async pids(): Promise<number[]> {
    return (await this.ps()).filter(({ state }) => state !== "stopping").map(({ pid }) => pid);
  }

  /** The processes of all workers. */
  async allPids(): Promise<number[]> {
    return (await this.ps()).map(({ pid }) => pid);
  }

  /** Waits until there is a worker whose process has been started. */
  started(): Promise<Worker> {
    return waitFor("a worker", async () => (await this.ps()).find(({ pid }) => !Number.isNaN(pid)));
  }

  /** Waits until there is a worker that is ready, and is not one of these processes. */
  ready(...not: readonly number[]): Promise<Worker> {
    return waitFor("a ready worker", async () =>
      (await this.ps()).find(({ state, pid }) => state === "ready" && !not.includes(pid)),
    );
  }

  /** Waits until this many workers exist, all of them ready and none being stopped. */
  settled(count: number): Promise<Worker[]> {
    return waitFor(`${count} ready workers and no others`, async () => {
      const workers = await this.ps();
      return workers.length === count && workers.every(({ state }) => state === "ready") && workers;
    });
  }

  /** The service's answer to a connection that sends this, until its end. */
  ask(words = ""): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = "";
      const connection = createConnection(this.port, "127.0.0.1", () => connection.write(words));
      connection.on("data", (bytes) => {
        text += bytes.toString();
      });
      connection.once("close", () => resolve(text)).once("error", reject);
    });
  }

  /** Waits until new connections are answered by this version: the one before may accept until it has seen its signal. */
  answers(version: string, words = ""): Promise<string> {
    return waitFor(`an answer of ${version}`, async () => {
      const answer = await this.ask(words);
      return answer.startsWith(`${version} `) && answer;
    });
  }

  /** The service's answer over HTTP. */
  async get(path = "/"): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.port}${path}`)).text();
  }

  /** A connection to the service, which ends with the test. */
  talk(): Promise<Talk> {
    return this.#connected(Talk.open(this.port));
  }

  /** A connection to the control socket, which ends with the test. */
  control(): Promise<Talk> {
    return this.#connected(Talk.open(this.path("web.ctl")));
  }

  async #connected(opening: Promise<Talk>): Promise<Talk> {
    const talk = await opening;
    this.hold(() => talk.hangUp());
    return talk;
  }
}
