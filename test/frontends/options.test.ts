// GNU-style options: their syntax, where they end, and their help.
import { expect, test } from "bun:test";
import { UsageError } from "../../src/commands/flags.ts";
import { type OptionTable, optionHelp, parseOptions } from "../../src/frontends/options.ts";

const TABLE = {
  number: { short: "n", argument: "COUNT", help: "how many" },
  bind: { short: "b", argument: "ADDR", repeats: true, help: "a socket" },
  manual: { short: "m", help: "by hand" },
  verbose: { short: "v", help: "much" },
} as const satisfies OptionTable;

const read = (...args: readonly string[]) => parseOptions(TABLE, args, "first");

test("a value may follow a letter directly or separately, an equals sign, or a name", () => {
  for (const args of [["-n3"], ["-n", "3"], ["--number=3"], ["--number", "3"], ["-mvn3"], ["-mvn", "3"]])
    expect(read(...args).given.number).toEqual(["3"]);
  expect(read("-mvn3").given.manual).toEqual([""]);
});

test("a repeatable option keeps all its values in order, and no other option may repeat", () => {
  expect(read("-b1", "--bind", "2", "-b=3").given.bind).toEqual(["1", "2", "=3"]);
  expect(() => read("-n1", "--number", "2")).toThrow("Option 'number' given more than once");
  expect(() => read("-mm")).toThrow("Option 'm' given more than once");
});

test("an option whose last value counts may repeat", () => {
  const { given } = parseOptions(TABLE, ["-n1", "-mm", "-b1", "-n", "2", "-b2"], "first", "last");
  expect(given).toEqual({ number: ["2"], manual: [""], bind: ["1", "2"] });
});

test("the first operand ends the options, or not, and -- always ends them", () => {
  expect(read("-m", "program", "-v")).toEqual({ given: { manual: [""] }, operands: ["program", "-v"] });
  expect(read("-m", "--", "-v").operands).toEqual(["-v"]);
  expect(read("-", "-v").operands).toEqual(["-", "-v"]);
  const anywhere = parseOptions(TABLE, ["word", "-m", "other", "--", "-v"], "anywhere");
  expect(anywhere).toEqual({ given: { manual: [""] }, operands: ["word", "other", "-v"] });
});

test.each([
  [["-x"], "Unrecognized option: 'x'"],
  [["--constructor"], "Unrecognized option: 'constructor'"],
  [["--manual=yes"], "Option 'manual' does not take an argument"],
  [["-n"], "Argument to option 'n' missing"],
  [["--number"], "Argument to option 'number' missing"],
])("%j is refused: %s", (args, message) => {
  expect(() => read(...args)).toThrow(new UsageError(message));
});

test("an empty value is a value", () => {
  expect(read("--number=").given.number).toEqual([""]);
  expect(read("-n", "").given.number).toEqual([""]);
});

test("the help has a line for every option, within 80 columns", () => {
  const lines = optionHelp({
    ...TABLE,
    long: { argument: "A-VERY-LONG-ONE[,MORE]", help: "x ".repeat(60).trim() },
  }).split("\n");
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines[0]).toBe("  -n, --number COUNT          how many");
  expect(lines.length).toBeGreaterThan(5);
});
