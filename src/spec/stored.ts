// The schema of a spec in the record, which other programs may have written to.
import * as v from "valibot";
import type { Spec } from "../core/model/spec.ts";
import { SPEC_ROWS, type SpecField } from "./fields.ts";

/** A spec of this version or an earlier one; what an earlier one lacks is filled in. */
export const storedSpec = (): v.GenericSchema<unknown, Spec> =>
  // The rows' kinds give the schemas of the keys whose types KeyedSpec compares with the core's.
  v.object({ ...composed(), ...keyed() }) as v.GenericSchema as v.GenericSchema<unknown, Spec>;

/** Whole numbers of any kind. */
export const wholeNumber = () => v.pipe(v.number(), v.integer(), v.minValue(0));
const duration = () => v.pipe(v.number(), v.minValue(0));

const keyed = (): v.ObjectEntries =>
  Object.fromEntries(SPEC_ROWS.flatMap(([, field]) => (field.key === undefined ? [] : [[field.key, entryOf(field)]])));

const entryOf = (field: SpecField) => {
  const isNullable = field.initial === null || ("none" in field && field.none !== undefined);
  const schema = isNullable ? v.nullable(schemaOf(field)) : schemaOf(field);
  if (field.sparse === true) return v.exactOptional(schema);
  return field.before === undefined ? schema : v.optional(schema, field.before);
};

/** Bounds are not checked: those of another version may have been wider. */
const schemaOf = (field: SpecField): v.GenericSchema => {
  switch (field.kind) {
    case "switch":
      return v.boolean();
    case "count":
    case "size":
    case "octal":
      return wholeNumber();
    case "duration":
      return duration();
    case "choice":
      return v.picklist(field.choices);
    case "text":
    case "word":
      return v.string();
    default:
      throw new TypeError(`a ${field.kind} is no key of a spec by itself`);
  }
};

/** The keys that no row has to itself. */
const composed = () => ({
  command: v.pipe(v.array(v.string()), v.minLength(1)),
  cwd: v.string(),
  callerCwd: v.exactOptional(v.string()),
  resolved: v.exactOptional(v.object({ cwd: v.string(), file: v.string(), name: v.exactOptional(v.string()) })),
  env: v.record(v.string(), v.nullable(v.string())),
  user: v.nullable(
    v.object({
      name: v.string(),
      uid: wholeNumber(),
      gid: wholeNumber(),
      groups: v.array(wholeNumber()),
      home: v.exactOptional(v.string()),
      shell: v.exactOptional(v.string()),
    }),
  ),
  limits: v.array(v.object({ name: v.string(), soft: limitValue(), hard: limitValue() })),
  readiness: v.variant("kind", [
    v.object({ kind: v.literal("notify") }),
    v.object({ kind: v.literal("ack") }),
    v.object({ kind: v.literal("delay"), afterMs: duration() }),
    probeSchema(),
  ]),
  // Missing from records of earlier versions.
  liveness: v.optional(
    v.nullable(v.variant("kind", [v.object({ kind: v.literal("watchdog"), periodMs: duration() }), probeSchema()])),
    null,
  ),
  stopSteps: v.pipe(v.array(v.object({ signal: v.string(), afterMs: duration() })), v.minLength(1)),
});

const limitValue = () => v.nullable(wholeNumber());

const probeSchema = () =>
  v.object({
    kind: v.literal("probe"),
    check: v.variant("kind", [
      v.object({ kind: v.literal("tcp") }),
      v.object({ kind: v.literal("http"), path: v.string() }),
      v.object({ kind: v.literal("exec"), command: v.pipe(v.array(v.string()), v.minLength(1)) }),
    ]),
    address: v.nullable(v.string()),
    intervalMs: duration(),
    timeoutMs: duration(),
    threshold: wholeNumber(),
  });
