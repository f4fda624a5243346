// One watched service: a connection that is restored when it is lost, events as they arrive, and the status after
// each of them and once a second.
import { host } from "#host";
import {
  CallError,
  type Client,
  ConnectError,
  ConnectionLostError,
  type ControlAddress,
  connect,
} from "../../../control/client.ts";
import type { Timer } from "../../../host/clock.ts";
import { measured } from "../workers/measured.ts";
import { afterEvent, afterStatus, type ServiceView, unseen } from "./model.ts";

/** How often usage is requested, and a lost crank is retried: ms. */
const REFRESH_MS = 1000;
/** How soon after an event the status is requested: a rollout's events come in bursts. */
const SETTLE_MS = 80;

/** Follows one service until it is ended; `view` is its current state. */
export class Feed {
  readonly address: ControlAddress;
  #view: ServiceView;
  readonly #changed: () => void;
  readonly #past: "told" | "left out";
  #client: Client | null = null;
  #isOver = false;
  #isMeasuring = false;
  #settling: Timer | null = null;
  #ticking: Timer | null = null;
  #isConnecting = false;

  /** `past`: whether past events are shown too, as far back as crank keeps them. */
  constructor(name: string, address: ControlAddress, past: "told" | "left out", changed: () => void) {
    this.#past = past;
    this.address = address;
    this.#view = unseen(name);
    this.#changed = changed;
  }

  get view(): ServiceView {
    return this.#view;
  }

  /** Begins to watch. */
  start(): void {
    this.#ticking = host.clock.every(REFRESH_MS, () => this.#tick());
    this.#connect().catch(this.#fail);
  }

  stop(): void {
    this.#isOver = true;
    this.#ticking?.cancel();
    this.#settling?.cancel();
    this.#client?.close();
  }

  /** Sends a request, and returns the sentence to show. */
  async perform(ask: (client: Client) => Promise<string>): Promise<string> {
    if (this.#client === null) return "crank is unreachable";
    try {
      return await ask(this.#client);
    } catch (error) {
      if (error instanceof CallError || error instanceof ConnectionLostError) return error.message;
      throw error;
    }
  }

  async #connect(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    try {
      await this.#begin();
    } finally {
      this.#isConnecting = false;
    }
  }

  async #begin(): Promise<void> {
    let client: Client;
    try {
      client = await connect(this.address, (notification) => {
        if (notification.method !== "event" && notification.method !== "happening") return;
        this.#show(afterEvent(this.#view, notification.params));
        this.#settle();
      });
    } catch (error) {
      if (!(error instanceof ConnectError || error instanceof CallError)) throw error;
      this.#lose(error.message);
      return;
    }
    if (this.#isOver) {
      client.close();
      return;
    }
    this.#client = client;
    client.ended
      .then(() => {
        if (this.#client === client) this.#lose("crank closed the connection");
      })
      .catch(this.#fail);
    await this.#ask(async () => {
      const status = await client.call("status", {});
      // A restarted crank may count its events from 1 again: then all its events are shown again.
      this.#show(afterStatus({ ...this.#view, link: { kind: "live" }, events: [] }, status));
      await client.call("events", { ...(this.#past === "told" ? { from: 0 } : {}), follow: true });
      await this.#measure();
    });
  }

  #tick(): void {
    if (this.#client === null) this.#connect().catch(this.#fail);
    else this.#measure().catch(this.#fail);
  }

  /** The status with what the workers use; crank itself limits how often it measures. */
  async #measure(): Promise<void> {
    const client = this.#client;
    if (client === null || this.#isMeasuring) return;
    this.#isMeasuring = true;
    await this.#ask(async () => {
      this.#show(afterStatus(this.#view, await measured(client, "status", {})));
    });
    this.#isMeasuring = false;
  }

  #settle(): void {
    if (this.#settling !== null) return;
    this.#settling = host.clock.after(SETTLE_MS, () => {
      this.#settling = null;
      const client = this.#client;
      if (client === null) return;
      this.#ask(async () => {
        this.#show(afterStatus(this.#view, await client.call("status", {})));
      }).catch(this.#fail);
    });
  }

  /** A request whose failure the link reports: the connection is lost, or crank says why not. */
  async #ask(question: () => Promise<void>): Promise<void> {
    try {
      await question();
    } catch (error) {
      if (error instanceof CallError) this.#lose(error.message);
      else if (!(error instanceof ConnectionLostError)) throw error;
    }
  }

  #lose(reason: string): void {
    this.#client?.close();
    this.#client = null;
    if (this.#isOver) return;
    const { link } = this.#view;
    const since = link.kind === "lost" ? link.since : host.clock.wallNow();
    this.#show({ ...this.#view, link: { kind: "lost", reason, since } });
  }

  #show(view: ServiceView): void {
    if (this.#isOver) return;
    this.#view = view;
    this.#changed();
  }

  /** An exception in a promise that is not awaited must not be lost: it ends the program like any other. */
  readonly #fail = (error: unknown): void => {
    if (this.#isOver) return;
    queueMicrotask(() => {
      throw error;
    });
  };
}
