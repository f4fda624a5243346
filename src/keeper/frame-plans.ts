// The protocol's tables, prepared for reading and writing: each frame's code and fields in order; and the errors of a
// frame.
import type { FieldType } from "./protocol.ts";
import { COMMANDS, FIRST_EVENT, MESSAGES } from "./protocol.ts";

/** Why a frame cannot be written or read. */
export type FrameFault = "tooLong" | "tooShort" | "unknownCode" | "leftOver" | "badNumber";

/** A frame that cannot be sent, or that the peer should not have sent. Nothing after it can be trusted. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: FrameFault;
  constructor(code: FrameFault, message: string) {
    super(message);
    this.code = code;
  }
}

export type Field = { readonly name: string; readonly type: FieldType };
/**
 * `layout`: all fields, for the host's `unpack`; null: some are lists. `packed`: the names of up to three fields that
 * are not lists, for its `pack`; "" for none.
 */
export type Plan = {
  readonly kind: string;
  readonly code: number;
  readonly fields: readonly Field[];
  readonly layout: string | null;
  readonly packed: readonly [string, string, string] | null;
};
/** The possible values of a field. */
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

const LETTERS: Readonly<Record<FieldType, string | null>> = {
  u8: "b",
  u32: "w",
  i32: "i",
  u64: "q",
  text: "t",
  bytes: "y",
  texts: null,
  numbers: null,
  pairs: null,
};

const planOf = (
  kind: string,
  code: number,
  table: Readonly<Record<string, FieldType>>,
  header: readonly Field[],
): Plan => {
  const fields = [...header, ...Object.entries(table).map(([name, type]) => ({ name, type }))];
  const letters = fields.map(({ type }) => LETTERS[type]);
  const layout = letters.includes(null) ? null : letters.join("");
  const [first, second, third, ...others] = fields;
  const packed = [first?.name ?? "", second?.name ?? "", third?.name ?? ""] as const;
  return { kind, code, fields, layout, packed: layout === null || others.length > 0 ? null : packed };
};

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
