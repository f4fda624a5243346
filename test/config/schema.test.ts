// The JSON Schema of configuration files against the reader: the same keys, and defaults that the reader takes.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readConfig } from "../../src/commands/config/config.ts";
import { KEYS } from "../../src/commands/config/keys.ts";

type Property = { readonly default?: unknown; readonly enum?: readonly string[] };

const text = readFileSync(resolve(import.meta.dirname, "../../docs/reference/crank.schema.json"), "utf8");
const service = JSON.parse(text).properties.service.additionalProperties;
// The schema is this project's own.
const properties = Object.entries(service.properties as Readonly<Record<string, Property>>);

const read = (key: string, value: unknown): unknown => {
  const line = `${key} = ${JSON.stringify(value)}`;
  const bytes = new TextEncoder().encode(`[service.a]\ncommand = ["x"]\n${line}\n`);
  return readConfig("crank.toml", "/", bytes).services[0];
};

test("the schema has every key, and no other", () => {
  expect(properties.map(([key]) => key).sort()).toEqual([...KEYS].sort());
  expect(service.additionalProperties).toBe(false);
  expect(service.required).toEqual(["command"]);
});

test("the reader takes every default and every choice of the schema", () => {
  for (const [key, { default: initial, enum: choices = [] }] of properties)
    for (const value of [...(initial === undefined ? [] : [initial]), ...choices])
      expect(read(key, value)).toMatchObject({ name: "a" });
});
