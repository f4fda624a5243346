// The protocol's tables prepared for reading and writing: each frame's code and fields in order; and what can be wrong
// with a frame.
import type { FieldType } from "./protocol.ts";
import { COMMANDS, FIRST_EVENT, MESSAGES } from "./protocol.ts";

/** What a frame breaks, when it cannot be written or read. */
export type FrameFault = "tooLong" | "tooShort" | "unknownCode" | "leftOver" | "badNumber";

/** A frame that cannot be sent, or that the other side should not have sent. Nothing after it can be trusted. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: FrameFault;
  constructor(code: FrameFault, message: string) {
    super(message);
    this.code = code;
  }
}

export type Field = { readonly name: string; readonly type: FieldType };
export type Plan = { readonly kind: string; readonly code: number; readonly fields: readonly Field[] };
/** What a field's value can be. */
export type Value =
  | number
  | string
  | Uint8Array
  | readonly string[]
  | readonly number[]
  | readonly (readonly [string, string])[];

export const TWO_TO_32 = 2 ** 32;
export const HEADER_BYTES = 4;

const EVENT_HEADER: readonly Field[] = [
  { name: "seq", type: "u64" },
  { name: "happenedAt", type: "u64" },
  { name: "deliveredAt", type: "u64" },
];

const planOf = (
  kind: string,
  code: number,
  table: Readonly<Record<string, FieldType>>,
  header: readonly Field[],
): Plan => ({
  kind,
  code,
  fields: [...header, ...Object.entries(table).map(([name, type]) => ({ name, type }))],
});

const commandPlans = Object.entries(COMMANDS).map(([kind, frame]) => planOf(kind, frame.code, frame.fields, []));
const messagePlans = Object.entries(MESSAGES).map(([kind, frame]) =>
  planOf(kind, frame.code, frame.fields, frame.code >= FIRST_EVENT ? EVENT_HEADER : []),
);
const byKind = (plans: readonly Plan[]): ReadonlyMap<string, Plan> => new Map(plans.map((plan) => [plan.kind, plan]));
const byCode = (plans: readonly Plan[]): readonly (Plan | undefined)[] => {
  const table: (Plan | undefined)[] = new Array(256).fill(undefined);
  for (const plan of plans) table[plan.code] = plan;
  return table;
};

export const commandsByKind = byKind(commandPlans);
export const messagesByKind = byKind(messagePlans);
export const commandsByCode = byCode(commandPlans);
export const messagesByCode = byCode(messagePlans);
