// One line from a control connection: its sender, whether it is authorized, and what it asks for.

import { type ClientLine, parseClientLine } from "../../control/jsonrpc.ts";
import { ERROR_CODES } from "../../control/messages.ts";
import { checkCall } from "../../control/schemas.ts";
import { type KeeperEvent, UNCHANGED } from "../../keeper/protocol.ts";
import { takeRequestLine } from "../metrics/scrapes.ts";
import { isAdmitted } from "../sockets/admission.ts";
import { METRICS_HANDLE } from "../state/handles.ts";
import type { Store } from "../state/store.ts";
import { takeOddLine } from "../workers/notify/misunderstood.ts";
import { type Asker, endConnection, replyError } from "./replies.ts";
import { handleCall, type MethodHandlers } from "./requests.ts";

type Line = Extract<KeeperEvent, { kind: "line" }>;
type Foreign = Extract<ClientLine, { kind: "foreign" }>;

/** Handles a line. Nothing that a client sends can end more than its own request. */
export const takeLine = (store: Store, event: Line, handlers: MethodHandlers): Promise<void> | void => {
  if (event.listener === METRICS_HANDLE) return takeRequestLine(store, event);
  const line = parseClientLine(event.bytes);
  if (line.kind === "foreign") return takeForeign(store, event, line);
  if (line.kind === "broken") return answerOddLine(store, event, line.reply);
  const asker: Asker = { connection: event.connection, rpc: line.kind === "request" ? line.id : undefined };
  const obstacle = whyNot(store, event, line.method);
  if (obstacle !== null) return turnAway(store, asker, obstacle);
  const checked = checkCall(line.method, line.params);
  if (!checked.ok) return replyError(store, asker, checked.error);
  return handleCall(store, handlers, { ...asker, now: event.deliveredAt }, checked.call);
};

/** An unauthorized connection is closed, so that it does not use up a place. */
const turnAway = (store: Store, { connection, rpc }: Asker, message: string): void =>
  endConnection(store, connection, { code: ERROR_CODES.unauthorized, message }, rpc ?? null);

/** Not JSON-RPC: the front end's dialect may understand it. */
const takeForeign = async (store: Store, event: Line, { text, reply }: Foreign): Promise<void> => {
  const { dialect } = store.frontEnd;
  const mayControl = whyNot(store, event, "") === null;
  if (!(await dialect.take(store, { event, text, mayControl }))) return answerOddLine(store, event, reply);
  // An acknowledgement is one line.
  if (!mayControl) store.batch.command({ kind: "write", connection: event.connection, bytes: "", close: 1 });
};

const answerOddLine = (store: Store, event: Line, reply: string): void => {
  takeOddLine(store, event);
  const close = whyNot(store, event, "") === null ? 0 : 1;
  store.batch.command({ kind: "write", connection: event.connection, bytes: reply, close });
};

/**
 * Why the sender may not ask for this; null if it may. Crank's own user and root may; over TCP, a client with the
 * token.
 */
const whyNot = (store: Store, event: Line, method: string): string | null => {
  if (store.settings?.control?.address.kind === "internet") {
    if (method === "authenticate" || store.authenticated.has(event.connection)) return null;
    return "This control socket requires the secret of CRANK_CTL_TOKEN first";
  }
  if (event.uid === 0 || event.uid === store.platform.uid || isAdmitted(store, event)) return null;
  const who = event.uid === UNCHANGED ? "an unknown user" : `the user ${event.uid}`;
  return `This crank belongs to the user ${store.platform.uid}; ${who} may not control it`;
};
