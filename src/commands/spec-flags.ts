// The flags that set fields of a spec, from their table: those of crankctl run, and those of crank for first deploys.
import type { SpecDefaults } from "../spec/defaults.ts";
import { argumentOf, helpOf } from "../spec/described.ts";
import { type SPEC_FIELDS, SPEC_ROWS, type SpecField, type SpecFlag } from "../spec/fields.ts";
import type { Flag } from "./flags.ts";

type Table = typeof SPEC_FIELDS;

const flagOf = (field: SpecField, help: string, group: string | undefined): Flag => {
  const shown = { help, ...(group === undefined ? {} : { group }) };
  return field.kind === "switch"
    ? { kind: "switch", ...shown }
    : { kind: "setting", setting: field, argument: argumentOf(field), ...shown };
};

/** A flag of crankctl run for each field. */
// The rows are those of the table.
export const SPEC_FLAGS = Object.fromEntries(
  SPEC_ROWS.map(([flag, field]) => [flag, flagOf(field, helpOf(field), field.group)]),
) as { readonly [F in SpecFlag]: Flag };

type DefaultFlag = { [F in SpecFlag]: Table[F] extends { readonly ofCrank: string } ? F : never }[SpecFlag];

/** A flag of crank for each field whose value at first deploys it sets. */
// The type selects the rows with `ofCrank`.
export const DEFAULT_FLAGS = Object.fromEntries(
  SPEC_ROWS.filter(([, field]) => field.ofCrank !== undefined).map(([flag, field]) => [
    flag,
    flagOf(field, `unless crankctl run overrides it, ${field.help}`, field.ofCrank),
  ]),
) as { readonly [F in DefaultFlag]: Flag };

/** The values that crank's flags set for first deploys. */
export const givenDefaults = (flags: { readonly [F in DefaultFlag]?: unknown }): Partial<SpecDefaults> => {
  const given = SPEC_ROWS.flatMap(([flag, { key, sparse, ofCrank }]) => {
    // Only flags of crank are given.
    const value = ofCrank === undefined ? undefined : flags[flag as DefaultFlag];
    return key === undefined || value === undefined || (sparse === true && value === false) ? [] : [[key, value]];
  });
  // Every value was parsed by the row of its key.
  return Object.fromEntries(given) as Partial<SpecDefaults>;
};
