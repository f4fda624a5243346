// Types of control requests that wait for an answer, and of answers that may be requested again.
import type { RpcId } from "../../../control/jsonrpc.ts";
import type { Selector } from "../../../control/messages.ts";

/** Stands for a connection if the client is gone, or wants no answer. */
export const NOBODY = 0;

/** A control request that waits for its answer. */
export type Pending = { readonly connection: number; readonly rpc: RpcId } & (
  | {
      readonly kind: "rollout";
      readonly clientId: string | null;
      /** true: answered when the rollout has ended. false: when its first worker is started. */
      readonly wait: boolean;
      /** The answer as JSON, while its events are not published yet; null before. */
      readonly said: string | null;
      readonly generation: number;
    }
  | { readonly kind: "scale" }
  | { readonly kind: "shutdown" }
  /** `kill`: until the keeper has sent the signals. `refused`: why one could not be sent. */
  | {
      readonly kind: "signals";
      readonly workers: readonly number[];
      readonly pids: readonly number[];
      readonly wait: boolean;
      readonly refused: string | null;
    }
  /** `kill -wait`: until these workers are gone. */
  | { readonly kind: "gone"; readonly workers: readonly number[]; readonly pids: readonly number[] }
  /** A request on the metrics socket: until the workers are measured. */
  | {
      readonly kind: "scrape";
      readonly method: string;
      readonly path: string;
    }
  /** `ps`: until the workers are measured. */
  | { readonly kind: "ps"; readonly selector: Selector }
  /**
   * `status`: until the keeper has reported the queues of these sockets and, if requested, the workers are measured.
   */
  | {
      readonly kind: "status";
      readonly isMeasuring: boolean;
      readonly waiting: readonly number[];
      readonly queues: Readonly<Record<number, { readonly queue: number; readonly limit: number }>>;
    }
  /** `upgrade -wait`: until the upgrade with this number has ended. */
  | { readonly kind: "upgrade"; readonly upgrade: number }
);

/** The answer to a finished deploy, kept for a client that repeats its request. */
export type Finished = { readonly clientId: string; readonly reply: string };
