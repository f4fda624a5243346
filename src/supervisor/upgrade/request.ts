// The control method `upgrade`.
import { refuse, reply } from "../control/replies.ts";
import { type Handler, waiterOf } from "../control/requests.ts";
import { nextRequest, savePending } from "../state/save.ts";
import { requestUpgrade } from "./upgrade.ts";

/** Begins an upgrade. With `wait`, answers when it has ended. */
export const upgrade: Handler<"upgrade"> = (store, call, params) => {
  const asked = requestUpgrade(store, { exec: params.exec ?? null, by: null, now: call.now });
  if (typeof asked === "string") return refuse(store, call, asked);
  if (params.wait !== true) return reply(store, call, { done: null });
  savePending(store, nextRequest(store), { kind: "upgrade", ...waiterOf(call), upgrade: asked });
};
