// The flag parser: Go's syntax, numbers and their bounds, the error messages, and the help text.
import { describe, expect, test } from "bun:test";
import { helpText } from "../../src/commands/flag-help.ts";
import { nearest, parseFlags, UsageError } from "../../src/commands/flags.ts";

const TABLE = {
  name: { kind: "text", argument: "NAME", help: "the service", environment: "CRANK_NAME" },
  bind: { kind: "texts", argument: "URI", help: "a socket", environment: "CRANK_BIND", group: "Sockets" },
  wait: { kind: "switch", help: "wait for the end" },
  start: { kind: "seconds", argument: "SEC", min: null, help: "how long a worker may take to get ready" },
  "min-ready": { kind: "seconds", argument: "SEC", help: "how long" },
  instances: { kind: "whole", argument: "N", min: 1, max: 1000, help: "how many" },
  "kill-mode": { kind: "choice", argument: "MODE", choices: ["group", "process"], help: "what is killed" },
} as const;

const parse = (...args: string[]) => parseFlags(TABLE, args);
const refusal = (...args: string[]): string => {
  try {
    parse(...args);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return "accepted";
};

describe("parseFlags", () => {
  test("accepts one dash or two, and the value after a space or an equals sign", () => {
    expect(parse("-name", "a").flags.name).toBe("a");
    expect(parse("--name", "a").flags.name).toBe("a");
    expect(parse("-name=a=b").flags.name).toBe("a=b");
    expect(parse("--name=").flags.name).toBe("");
  });

  test("stops at the first operand, at a lone dash and after --", () => {
    expect(parse("-wait", "ruby", "-wait").operands).toEqual(["ruby", "-wait"]);
    expect(parse("-", "-wait").operands).toEqual(["-", "-wait"]);
    expect(parse("-wait", "--", "-name").operands).toEqual(["-name"]);
  });

  test("reads flags after operands on request", () => {
    const { flags, operands: words } = parseFlags(TABLE, ["4", "-wait", "5", "--", "-x"], {}, "anywhere");
    expect([flags.wait, words]).toEqual([true, ["4", "5", "-x"]]);
  });

  test("keeps all values of a repeatable flag, and the last one of any other", () => {
    const { flags } = parse("-bind", "a", "-bind=b", "-name", "x", "-name", "y");
    expect([flags.bind, flags.name]).toEqual([["a", "b"], "y"]);
  });

  test("reads switches as Go does", () => {
    expect(parse("-wait").flags.wait).toBe(true);
    expect(parse("-wait=false").flags.wait).toBe(false);
    expect(parse("-wait", "false").operands).toEqual(["false"]);
    expect(refusal("-wait=maybe")).toBe('-wait "maybe": it is a switch. Write -wait, or -wait=false to turn it off.');
  });

  test("reads fractional seconds as milliseconds without rounding to zero", () => {
    expect(parse("-start", "1.5").flags.start).toBe(1500);
    expect(parse("-start", ".25").flags.start).toBe(250);
    expect(parse("-start", "0.0001").flags.start).toBe(1);
    expect(parse("-start", "-1").flags.start).toBe(-1000);
    expect(parse("-start", "0").flags.start).toBe(0);
  });

  test("reads durations with a unit", () => {
    const read = ["300ms", "90s", "5m", "4h", "7d", "0.5h", ".1ms", "0m"].map(
      (text) => parse("-start", text).flags.start,
    );
    expect(read).toEqual([300, 90_000, 300_000, 14_400_000, 604_800_000, 1_800_000, 1, 0]);
    expect(refusal("-min-ready", "-5m")).toBe("-min-ready -5m: must not be negative");
    expect(refusal("-start", "11575d")).toBe("-start 11575d: must be at most 1000000000 s");
  });

  test("refuses invalid, negative and out-of-range numbers, naming the flag", () => {
    expect(refusal("-min-ready", "-1")).toBe("-min-ready -1: must not be negative");
    expect(refusal("-min-ready", "soon")).toBe(
      '-min-ready "soon": must be a number of seconds, or a duration such as 300ms, 5m or 4h',
    );
    for (const text of ["1e3", "Infinity", "NaN", "0x10", "", " 1", "1 s", "1M", "1h30m", "ms"])
      expect(refusal("-start", text)).toMatch(/^-start "?.*"?: must be/);
    expect(refusal("-instances", "0")).toBe("-instances 0: must be at least 1");
    expect(refusal("-instances", "1001")).toBe("-instances 1001: must be at most 1000");
    expect(refusal("-instances", "2.5")).toBe('-instances "2.5": must be a whole number');
    expect(refusal("-start", "1000000001")).toBe("-start 1000000001: must be at most 1000000000");
  });

  test("refuses an invalid choice, naming the valid ones", () => {
    expect(refusal("-kill-mode", "all")).toBe('-kill-mode "all": must be group or process');
  });

  test("names the missing value", () => {
    expect(refusal("-start")).toBe("-start: its value is missing. Write -start SEC.");
  });

  test("suggests a similar flag", () => {
    expect(refusal("-naem", "x")).toBe("-naem: no such flag. Did you mean -name?");
    expect(refusal("--instance=3")).toBe("-instance: no such flag. Did you mean -instances?");
    expect(refusal("-zzz")).toBe("-zzz: no such flag");
    expect(refusal("-constructor")).toBe("-constructor: no such flag");
    expect(refusal("---name")).toBe(
      '"---name": not a flag. Flags have one dash or two; arguments that begin with a dash follow --.',
    );
    expect(refusal("-\u001b[31m")).toBe('"-\\u001b[31m": no such flag');
    expect(nearest("x", [])).toBeNull();
  });

  test("reads the environment only for flags that are not given", () => {
    const env = { CRANK_NAME: "env", CRANK_BIND: ":80" };
    expect(parseFlags(TABLE, ["-name", "a"], env).flags).toEqual({ name: "a", bind: [":80"] });
    expect(parseFlags(TABLE, [], { CRANK_NAME: "" }).flags.name).toBeUndefined();
  });

  test("finds -h and -help, and stops there", () => {
    for (const flag of ["-h", "-help", "--help"]) expect(parse("-wait", flag, "-zzz").help).toBe(true);
    expect(parse("ls", "-help").help).toBe(false);
  });
});

test("the help text groups and aligns all flags within 80 columns", () => {
  const text = helpText({
    usage: ["thing [flags] [WORD...]", "thing -help"],
    about: ["Does it. ".repeat(20).trim()],
    flags: TABLE,
  });
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  for (const name of Object.keys(TABLE)) expect(text).toContain(`  -${name}`);
  expect(text).toContain("\nSockets:\n  -bind URI");
  expect(text).toContain("[$CRANK_NAME]");
});
