// The table of a spec's fields: its rows agree with each other, with the core's spec, and with the stored format.
import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { checkCall } from "../../src/control/schemas.ts";
import { completed, DEFAULTS, emptySpec } from "../../src/spec/defaults.ts";
import { argumentOf, helpOf } from "../../src/spec/described.ts";
import { SPEC_ROWS } from "../../src/spec/fields.ts";
import { readValue } from "../../src/spec/read.ts";
import { storedSpec } from "../../src/spec/stored.ts";

const SPEC = { ...emptySpec({}), command: ["server"], cwd: "/" };

describe.each(SPEC_ROWS)("the field %s", (flag, field) => {
  test("has a protocol parameter that accepts its initial value", () => {
    if (field.initial === undefined || (field.kind === "octal" && field.initial === null)) return;
    expect(checkCall("run", { [field.parameter]: field.initial })).toMatchObject({ ok: true });
  });

  test("is in the defaults and in the record by its key", () => {
    if (field.key === undefined) return;
    if (field.sparse === true) expect(DEFAULTS).not.toHaveProperty(field.key);
    else expect(DEFAULTS).toHaveProperty(field.key, field.initial);
    const value = field.initial ?? 1;
    const stored = v.safeParse(storedSpec(), { ...SPEC, [field.key]: value });
    expect(stored.output).toHaveProperty(field.key, value);
    expect(v.safeParse(storedSpec(), { ...SPEC, [field.key]: {} }).success).toBe(false);
  });

  test("has its earlier meaning in specs of earlier versions that lack it", () => {
    if (field.key === undefined || field.before === undefined) return;
    const { [field.key]: _, ...earlier } = SPEC;
    expect(completed(earlier as typeof SPEC)).toHaveProperty(field.key, field.before);
    expect(v.parse(storedSpec(), earlier)).toHaveProperty(field.key, field.before);
  });

  test("shows a default that is valid input", () => {
    const shown = /\(([^()]*?)( at first)?\)$/.exec(helpOf(field))?.[1];
    if (shown === undefined || !["count", "duration", "size", "readiness", "liveness", "signal"].includes(field.kind))
      return;
    expect(readValue(field, `-${flag}`, shown)).toEqual(field.initial);
  });

  test("has a name for its value, unless it is a switch", () => {
    expect(argumentOf(field) === "").toBe(field.kind === "switch");
  });
});

test("every key of a spec has a row or is composed of other rows", () => {
  const keyed = SPEC_ROWS.flatMap(([, { key }]) => (key === undefined ? [] : [key]));
  const composed = ["command", "cwd", "env", "user", "limits", "readiness", "liveness", "stopSteps"];
  const sparse = SPEC_ROWS.flatMap(([, { key, sparse }]) => (key !== undefined && sparse === true ? [key] : []));
  expect([...keyed, ...composed].sort()).toEqual([...Object.keys(SPEC), ...sparse].sort());
});

test("a parameter belongs to one row, or to those that merge their entries", () => {
  const parameters = SPEC_ROWS.map(([, { parameter }]) => parameter);
  expect(parameters.filter((name, at) => parameters.indexOf(name) !== at)).toEqual(["env"]);
});

test("a complete spec is not changed", () => {
  expect(completed(SPEC)).toBe(SPEC);
});
