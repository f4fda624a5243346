// Env files: their syntax, and errors with line numbers that do not show values.
import { expect, test } from "bun:test";
import { EnvFileError, readEnvFile } from "../../src/commands/env-file.ts";

const read = (text: string) => readEnvFile(".env", new TextEncoder().encode(text));

const problem = (text: string): string => {
  try {
    read(text);
  } catch (error) {
    if (error instanceof EnvFileError) return error.message;
    throw error;
  }
  throw new Error("the file was accepted");
};

test("a line is NAME=VALUE, a comment or empty", () => {
  expect(read("A=1\n\n  # B=2\n  C = x y \nD=\nE=a=b\n")).toEqual({ A: "1", C: "x y", D: "", E: "a=b" });
});

test("a comment may follow a value behind a space", () => {
  expect(read("A=1 # one\nB=1#one\nC='x # y' # z\nD= # none\n")).toEqual({ A: "1", B: "1#one", C: "x # y", D: "" });
});

test("export in front of a name is left out", () => {
  expect(read("export A=1\nexported=2\n")).toEqual({ A: "1", exported: "2" });
});

test("single quotes keep everything, double quotes have escapes", () => {
  expect(read(`A='a "b" \\n $C'\nB="a 'b'\\n\\"\\\\\\$C \\d"\n`)).toEqual({
    A: 'a "b" \\n $C',
    B: `a 'b'\n"\\$C \\d`,
  });
});

test("lines may end as on Windows, and the file may begin with a byte order mark", () => {
  expect(read("\ufeffA=1\r\nB='2'\r\n")).toEqual({ A: "1", B: "2" });
});

test("the last value of a name counts", () => {
  expect(read("A=1\nA=2\n")).toEqual({ A: "2" });
});

test("a variable without a value is an error with its line", () => {
  expect(problem("A=1\r\nSECRET\r\n")).toBe(".env:2: not NAME=VALUE; for an empty value write NAME=");
  expect(problem("=1\n")).toBe(".env:1: not NAME=VALUE; for an empty value write NAME=");
});

test("a quote that is not closed is an error that does not show the value", () => {
  expect(problem('# x\nA="secret\n')).toBe(".env:2: the value of A has no closing quote, or text behind it");
  expect(problem("A='secret'x\n")).toBe(".env:1: the value of A has no closing quote, or text behind it");
});

test("a file that is not UTF-8 is an error", () => {
  expect(() => readEnvFile(".env", Uint8Array.of(0x41, 0x3d, 0xff))).toThrow(".env is not UTF-8");
});
