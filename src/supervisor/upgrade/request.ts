// The control method `upgrade`.
import { refuse, reply } from "../control/replies.ts";
import { type Handler, waiterOf } from "../control/requests.ts";
import { nextRequest, rememberPending } from "../state/remember.ts";
import { requestUpgrade } from "./upgrade.ts";

/** Begins an upgrade. With `wait`, answers when it has ended. */
export const upgrade: Handler<"upgrade"> = (memory, call, params) => {
  const asked = requestUpgrade(memory, { exec: params.exec ?? null, by: null, now: call.now });
  if (typeof asked === "string") return refuse(memory, call, asked);
  if (params.wait !== true) return reply(memory, call, { done: null });
  rememberPending(memory, nextRequest(memory), { kind: "upgrade", ...waiterOf(call), upgrade: asked });
};
