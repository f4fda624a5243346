// The schema of each kind of setting in the control protocol: its shape, which is type and bounds.
import * as v from "valibot";
import { byteLength } from "../host/bytes.ts";
import { BOUNDS } from "./bounds.ts";
import { SPEC_ROWS, type SpecParams } from "./fields.ts";
import type { Kind } from "./kinds.ts";
import { command, directory, isClean, quote, table, text, whole, word } from "./schema-parts.ts";

type Optional<T> = v.ExactOptionalSchema<v.GenericSchema<unknown, T>, undefined>;

/** The schemas of the parameters that are fields of a spec, for an object. */
export const specEntries = () =>
  // A row's kind gives both its type in SpecParams and its schema.
  Object.fromEntries(
    SPEC_ROWS.filter(([, { kind }]) => kind !== "unset").map(([, field]) => [
      field.parameter,
      v.exactOptional(shapeOf(field)),
    ]),
  ) as { readonly [P in keyof SpecParams]-?: Optional<Required<SpecParams>[P]> };

const shapeOf = (setting: Kind): v.GenericSchema => {
  switch (setting.kind) {
    case "switch":
      return v.boolean("must be true or false");
    case "count":
      return unlessNone(setting, whole(setting.least, setting.most));
    case "duration":
      return unlessNone(setting, duration(setting));
    case "size":
      return unlessNone(setting, whole(1, setting.most));
    case "octal":
      return whole(0, setting.most);
    case "choice":
      return v.picklist(setting.choices, `must be ${setting.choices.map((choice) => `"${choice}"`).join(" or ")}`);
    case "text":
      return text(setting.mostBytes);
    case "word":
      return word(setting.mostBytes);
    case "signal":
      return word(BOUNDS.signalBytes);
    case "directory":
      return directory();
    case "stopSteps":
      return stopSteps();
    case "readiness":
      return readiness();
    case "liveness":
      return liveness();
    case "environment":
    case "unset":
      return environment();
    case "limits":
      return limits();
  }
};

/** Null is no limit. */
const unlessNone = ({ none }: { readonly none?: "unlimited" | "kept" }, schema: v.GenericSchema): v.GenericSchema =>
  none === undefined ? schema : v.nullable(schema);

/** Without a least value, ms with fractions are taken. */
const duration = ({ least, most }: { readonly least?: number; readonly most?: number }) => {
  const [min, max] = [least ?? 0, most ?? BOUNDS.durationMs];
  if (least !== undefined && most === undefined) return whole(min, max);
  const message = `must be a number of milliseconds from ${min} to ${max}`;
  const number = least === undefined ? v.finite<number, string>(message) : v.integer<number, string>(message);
  return v.pipe(v.number(message), number, v.minValue(min, message), v.maxValue(max, message));
};

const environment = () =>
  table(
    (value): value is string | null => value === null || typeof value === "string",
    (entries) => {
      const names = Object.keys(entries);
      if (names.length > BOUNDS.environmentNames) return `must have at most ${BOUNDS.environmentNames} names`;
      for (const name of names) {
        if (!isEnvironmentName(name)) return `has ${quote(name)}, which is not a valid name of an environment variable`;
        const value = entries[name] ?? "";
        if (!isClean(value))
          return `gives ${quote(name)} a value with a zero byte or half a surrogate pair, which is not allowed`;
        if (byteLength(name) + byteLength(value) + 1 > BOUNDS.argumentBytes)
          return `gives ${quote(name)} a value that is longer than ${BOUNDS.argumentBytes} bytes`;
      }
      return null;
    },
    "an object of strings, and null for what is to be unset",
  );

// `__proto__` would change an object's prototype instead of becoming a name in it.
const isEnvironmentName = (name: string): boolean =>
  name !== "" &&
  name !== "__proto__" &&
  byteLength(name) <= BOUNDS.environmentNameBytes &&
  isClean(name) &&
  !name.includes("=");

const limits = () =>
  table(
    (value): value is number | null =>
      value === null || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0),
    (entries) => {
      if (Object.keys(entries).length > BOUNDS.limits) return `must have at most ${BOUNDS.limits} names`;
      const wrong = Object.keys(entries).find((name) => !/^[a-z]{1,16}$/.test(name));
      return wrong === undefined ? null : `has ${quote(wrong)}, which is not the name of a limit`;
    },
    "an object of whole numbers from 0, and null for no limit",
  );

const stopSteps = () => {
  const message = `must be a list of 1 to ${BOUNDS.stopSteps} steps`;
  return v.pipe(
    v.array(
      v.strictObject(
        { signal: word(BOUNDS.signalBytes), after: duration({}) },
        "must be an object with signal and after",
      ),
      message,
    ),
    v.minLength(1, message),
    v.maxLength(BOUNDS.stopSteps, message),
  );
};

const readiness = () =>
  v.variant(
    "kind",
    [
      v.strictObject({ kind: v.picklist(["notify", "ack"]) }, READY),
      v.strictObject({ kind: v.literal("tcp") }, READY),
      v.strictObject({ kind: v.literal("delay"), after: duration({}) }, READY),
      v.strictObject({ kind: v.literal("http"), path: httpPath() }, READY),
      v.strictObject({ kind: v.literal("exec"), command: command() }, READY),
    ],
    READY,
  );
const READY = "must be an object with the kind notify, ack, delay (after), tcp, http (path) or exec (command)";

const liveness = () =>
  v.variant(
    "kind",
    [
      v.strictObject({ kind: v.literal("off") }, LIVE),
      v.strictObject({ kind: v.literal("tcp") }, LIVE),
      v.strictObject({ kind: v.literal("http"), path: httpPath() }, LIVE),
      v.strictObject({ kind: v.literal("exec"), command: command() }, LIVE),
      v.strictObject({ kind: v.literal("watchdog"), period: duration({ least: 1, most: BOUNDS.probeMs }) }, LIVE),
    ],
    LIVE,
  );
const LIVE = "must be an object with the kind off, tcp, http (path), exec (command) or watchdog (period)";

const httpPath = () => {
  const message = `must be a path of at most ${BOUNDS.pathBytes} printable ASCII characters that begins with /`;
  return v.pipe(
    v.string(message),
    v.check((path) => path.length <= BOUNDS.pathBytes && /^\/[!-~]*$/.test(path), message),
  );
};
