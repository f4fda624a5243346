// Control requests that have not been answered, and answers that may be asked for again: their shapes.
import type { RpcId } from "../../../control/jsonrpc.ts";
import type { Selector } from "../../../control/messages.ts";

/** In the place of a connection: whoever asked is gone, or wants no answer. */
export const NOBODY = 0;

/** A control request that has not been answered. */
export type Pending = { readonly connection: number; readonly rpc: RpcId } & (
  | {
      readonly kind: "rollout";
      readonly clientId: string | null;
      /** Answered when the rollout has ended; else as soon as its first worker is started. */
      readonly wait: boolean;
      /** How it has ended, as JSON, while what leads there has still to be told; null before. */
      readonly said: string | null;
      readonly generation: number;
    }
  | { readonly kind: "scale" }
  | { readonly kind: "shutdown" }
  /** `kill`: until the keeper has sent the signals. `refused`: why it could not send one. */
  | {
      readonly kind: "signals";
      readonly workers: readonly number[];
      readonly pids: readonly number[];
      readonly wait: boolean;
      readonly refused: string | null;
    }
  /** `kill -wait`: until these workers are gone. */
  | { readonly kind: "gone"; readonly workers: readonly number[]; readonly pids: readonly number[] }
  /** A request on the metrics socket: until its last line is there, and then until the workers are measured. */
  | {
      readonly kind: "scrape";
      readonly method: string;
      readonly path: string;
    }
  /** `ps`: until the workers are measured. */
  | { readonly kind: "ps"; readonly selector: Selector }
  /** `status`: until the keeper has said how full these sockets' queues are, and until the workers are measured if that is wanted. */
  | {
      readonly kind: "status";
      readonly isMeasuring: boolean;
      readonly waiting: readonly number[];
      readonly queues: Readonly<Record<number, { readonly queue: number; readonly limit: number }>>;
    }
  /** `upgrade -wait`: until the upgrade with this number has come to its end. */
  | { readonly kind: "upgrade"; readonly upgrade: number }
);

/** A finished deploy whose client may ask again by its id. */
export type Finished = { readonly clientId: string; readonly reply: string };
