// One line from a control connection: its sender, whether it is authorized, and what it asks for.

import { type ClientLine, parseClientLine } from "../../control/jsonrpc.ts";
import { ERROR_CODES } from "../../control/messages.ts";
import { checkCall } from "../../control/schemas.ts";
import { type KeeperEvent, UNCHANGED } from "../../keeper/protocol.ts";
import { takeRequestLine } from "../metrics/scrapes.ts";
import { isAdmitted } from "../sockets/admission.ts";
import { METRICS_HANDLE } from "../state/handles.ts";
import type { Memory } from "../state/store.ts";
import { takeOddLine } from "../workers/notify/misunderstood.ts";
import { type Asker, endConnection, replyError } from "./replies.ts";
import { handleCall, type MethodHandlers } from "./requests.ts";

type Line = Extract<KeeperEvent, { kind: "line" }>;
type Foreign = Extract<ClientLine, { kind: "foreign" }>;

/** Handles a line. Nothing that a client sends can end more than its own request. */
export const takeLine = (memory: Memory, event: Line, handlers: MethodHandlers): Promise<void> | void => {
  if (event.listener === METRICS_HANDLE) return takeRequestLine(memory, event);
  const line = parseClientLine(event.bytes);
  if (line.kind === "foreign") return takeForeign(memory, event, line);
  if (line.kind === "broken") return answerOddLine(memory, event, line.reply);
  const asker: Asker = { connection: event.connection, rpc: line.kind === "request" ? line.id : undefined };
  const obstacle = whyNot(memory, event, line.method);
  if (obstacle !== null) return turnAway(memory, asker, obstacle);
  const checked = checkCall(line.method, line.params);
  if (!checked.ok) return replyError(memory, asker, checked.error);
  return handleCall(memory, handlers, { ...asker, now: event.deliveredAt }, checked.call);
};

/** An unauthorized connection is closed, so that it does not use up a place. */
const turnAway = (memory: Memory, { connection, rpc }: Asker, message: string): void =>
  endConnection(memory, connection, { code: ERROR_CODES.unauthorized, message }, rpc ?? null);

/** Not JSON-RPC: the front end's dialect may understand it. */
const takeForeign = async (memory: Memory, event: Line, { text, reply }: Foreign): Promise<void> => {
  const { dialect } = memory.frontEnd;
  const mayControl = whyNot(memory, event, "") === null;
  if (!(await dialect.take(memory, { event, text, mayControl }))) return answerOddLine(memory, event, reply);
  // An acknowledgement is one line.
  if (!mayControl) memory.batch.command({ kind: "write", connection: event.connection, bytes: "", close: 1 });
};

const answerOddLine = (memory: Memory, event: Line, reply: string): void => {
  takeOddLine(memory, event);
  const close = whyNot(memory, event, "") === null ? 0 : 1;
  memory.batch.command({ kind: "write", connection: event.connection, bytes: reply, close });
};

/**
 * Why the sender may not ask for this; null if it may. Crank's own user and root may; over TCP, a client with the
 * token.
 */
const whyNot = (memory: Memory, event: Line, method: string): string | null => {
  if (memory.settings?.control?.address.kind === "internet") {
    if (method === "authenticate" || memory.authenticated.has(event.connection)) return null;
    return "This control socket wants the secret in CRANK_CTL_TOKEN first";
  }
  if (event.uid === 0 || event.uid === memory.platform.uid || isAdmitted(memory, event)) return null;
  const who = event.uid === UNCHANGED ? "an unknown user" : `the user ${event.uid}`;
  return `This crank belongs to the user ${memory.platform.uid}; ${who} may not control it`;
};
