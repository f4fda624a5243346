// keeper/protocol/protocol.h and src/keeper/protocol.ts say the same: every frame, its code, its fields in order, every limit.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FieldType } from "../../src/keeper/protocol.ts";
import * as protocol from "../../src/keeper/protocol.ts";

const header = readFileSync(join(import.meta.dirname, "../../keeper/protocol/protocol.h"), "utf8");

type Row = { readonly name: string; readonly code: number; readonly fields: string };
const rowsOf = (macro: string): Row[] =>
  [...header.matchAll(new RegExp(`^\\s*${macro}\\((\\w+), (\\d+), "([^"]*)"\\)`, "gm"))].map((match) => ({
    name: match[1] ?? "",
    code: Number(match[2]),
    fields: match[3] ?? "",
  }));

type Table = Readonly<Record<string, { readonly code: number; readonly fields: Readonly<Record<string, FieldType>> }>>;
const rowsFrom = (table: Table): Row[] =>
  Object.entries(table).map(([name, frame]) => ({
    name,
    code: frame.code,
    fields: Object.entries(frame.fields)
      .map(([field, type]) => `${field}:${type}`)
      .join(" "),
  }));

const byCode = (rows: readonly Row[]): Row[] => [...rows].sort((a, b) => a.code - b.code);

/** A constant of the header: a number, or a product of numbers in parentheses. */
const constant = (name: string): number => {
  const value = header.match(new RegExp(`^#define ${name} (.+)$`, "m"))?.[1];
  if (value === undefined) throw new Error(`keeper/protocol/protocol.h has no ${name}`);
  return value
    .replace(/[()]/g, "")
    .split("*")
    .map((factor) => Number(factor.trim().replace(/U?L*$/, "")))
    .reduce((product, factor) => product * factor, 1);
};

const upper = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

describe("the protocol's two tables", () => {
  test("name the same commands with the same codes and fields", () => {
    expect(byCode(rowsOf("COMMAND"))).toEqual(byCode(rowsFrom(protocol.COMMANDS)));
  });

  test("name the same messages with the same codes and fields", () => {
    expect(byCode(rowsOf("MESSAGE"))).toEqual(byCode(rowsFrom(protocol.MESSAGES)));
  });

  test("set the same limits, and no other", () => {
    const names = [...header.matchAll(/^#define (LIMIT_\w+) /gm)].map((match) => match[1]);
    expect(names.sort()).toEqual(
      Object.keys(protocol.LIMITS)
        .map((name) => `LIMIT_${upper(name)}`)
        .sort(),
    );
    for (const [name, limit] of Object.entries(protocol.LIMITS))
      expect([name, constant(`LIMIT_${upper(name)}`)]).toEqual([name, limit]);
  });

  test("agree on the version, the flags and the special values", () => {
    expect(constant("PROTOCOL_VERSION")).toBe(protocol.PROTOCOL_VERSION);
    expect(constant("FIRST_EVENT")).toBe(protocol.FIRST_EVENT);
    for (const [name, bit] of Object.entries(protocol.SPAWN_FLAGS)) expect(constant(`SPAWN_${upper(name)}`)).toBe(bit);
    for (const [name, state] of Object.entries(protocol.NAME_STATES))
      expect(constant(`NAME_${upper(name)}`)).toBe(state);
    expect(constant("UNCHANGED")).toBe(protocol.UNCHANGED);
    expect(constant("NO_LIMIT")).toBe(protocol.NO_LIMIT);
    expect(constant("INHERITED_OOM_SCORE")).toBe(protocol.INHERITED_OOM_SCORE);
  });

  test("use each code once, and none above a byte", () => {
    for (const table of [protocol.COMMANDS, protocol.MESSAGES]) {
      const codes = Object.values(table).map((frame) => frame.code);
      expect(new Set(codes).size).toBe(codes.length);
      expect(Math.max(...codes)).toBeLessThan(256);
    }
  });
});
