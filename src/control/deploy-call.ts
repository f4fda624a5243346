// A deploy that outlives its connection: `run`, `reload` and `rollback` carry a client's own id, so that a client that
// lost its connection can send the request again and gets the answer of its rollout.
import { host } from "#host";
import { hexOf } from "../host/bytes.ts";
import { type Client, ConnectError, ConnectionLostError, NoAnswerError } from "./client.ts";
import type { Methods, RunResult } from "./messages.ts";

/** The methods that begin a rollout. */
export type DeployMethod = "run" | "reload" | "rollback";

/** How long to retry after a lost connection, and the pause between two tries, ms. */
export type Patience = { readonly giveUpAfterMs: number; readonly pauseMs: number };

const PATIENCE: Patience = { giveUpAfterMs: 5000, pauseMs: 100 };

/**
 * Begins a rollout and waits for its answer, over as many connections as necessary; `connect` opens each.
 * Throws CallError, ConnectError if crank was never reachable, ConnectionLostError if it did not become reachable again.
 */
export const callDeploy = async <M extends DeployMethod>(
  connect: () => Promise<Client>,
  method: M,
  params: Methods[M]["params"],
  patience: Patience = PATIENCE,
): Promise<RunResult> => {
  const asked = { clientId: newId(), ...params };
  let client = await connect();
  for (let attempt = 1; ; attempt++) {
    const answer = await answerOrLoss(client, method, asked);
    if (!(answer instanceof ConnectionLostError)) return answer;
    if (attempt === MAX_ATTEMPTS) throw answer;
    client = await reconnect(connect, answer, patience);
  }
};

/** As random as a UUID. */
const newId = (): string => {
  const bytes = new Uint8Array(16);
  host.clock.random(bytes);
  return hexOf(bytes);
};

/** The answer, or that the connection was lost before it came; it is closed either way. */
const answerOrLoss = async <M extends DeployMethod>(
  client: Client,
  method: M,
  params: Methods[M]["params"],
): Promise<RunResult | ConnectionLostError> => {
  try {
    return await client.call(method, params);
  } catch (error) {
    if (error instanceof ConnectionLostError && !(error instanceof NoAnswerError)) return error;
    throw error;
  } finally {
    client.close();
  }
};

/** The limit for a crank that accepts every connection and answers on none. */
const MAX_ATTEMPTS = 20;

const reconnect = async (
  connect: () => Promise<Client>,
  lost: ConnectionLostError,
  patience: Patience,
): Promise<Client> => {
  const giveUpAt = host.clock.monotonicNow() + patience.giveUpAfterMs;
  for (;;) {
    await new Promise<void>((resolve) => void host.clock.after(patience.pauseMs, resolve));
    try {
      return await connect();
    } catch (error) {
      if (!(error instanceof ConnectError || error instanceof ConnectionLostError)) throw error;
      if (error instanceof NoAnswerError) throw error;
      if (host.clock.monotonicNow() < giveUpAt) continue;
      throw new ConnectionLostError(`${lost.message}, and crank does not run any more`, { cause: error });
    }
  }
};
