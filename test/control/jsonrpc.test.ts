// The reader of control lines: requests, other dialects, and hostile input.
import { describe, expect, test } from "bun:test";
import {
  encodeError,
  encodeRequest,
  encodeResult,
  parseClientLine,
  parseServerLine,
} from "../../src/control/jsonrpc.ts";
import { ERROR_CODES } from "../../src/control/messages.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string) => parseClientLine(bytes(text));
const replyOf = (line: ReturnType<typeof read>): { id: unknown; error: { code: number; message: string } } => {
  if (line.kind !== "foreign" && line.kind !== "broken") throw new Error(`read as a ${line.kind}`);
  return JSON.parse(line.reply);
};

describe("a line from a client", () => {
  test("is a request with any id that JSON-RPC allows, or a notification without one", () => {
    for (const id of [1, -2.5, "a", null]) {
      const line = JSON.stringify({ jsonrpc: "2.0", id, method: "ps", params: { pid: 3 } });
      expect(read(line)).toEqual({ kind: "request", id, method: "ps", params: { pid: 3 } });
    }
    expect(read('{"jsonrpc":"2.0","method":"ps"}')).toEqual({ kind: "notification", method: "ps", params: undefined });
  });

  test("that another dialect may know is passed on as text, with the answer if none does", () => {
    for (const text of ['{"command":"inc","args":[]}', "command: state", "help", "", "[1]", "42", "null"]) {
      const line = read(text);
      expect(line).toMatchObject({ kind: "foreign", text });
      expect(replyOf(line).id).toBeNull();
    }
    expect(replyOf(read("help")).error.code).toBe(ERROR_CODES.parse);
    expect(replyOf(read("[1]")).error.code).toBe(ERROR_CODES.invalidRequest);
  });

  test("that is not UTF-8 is foreign and has no text", () => {
    const line = parseClientLine(Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d));
    expect(line).toMatchObject({ kind: "foreign", text: null });
    expect(replyOf(line).error.message).toBe("the line is not valid UTF-8");
  });

  test("that is invalid JSON-RPC is answered with the error, and the id if readable", () => {
    const problem = (text: string) => {
      const { id, error } = replyOf(read(text));
      return [id, error.message];
    };
    expect(problem('{"jsonrpc":"1.0","id":7,"method":"ps"}')).toEqual([7, 'jsonrpc must be "2.0"']);
    expect(problem('{"id":7,"method":"ps"}')).toEqual([7, 'jsonrpc must be "2.0"']);
    expect(problem('{"jsonrpc":"2.0","id":7}')).toEqual([7, "method must be a string"]);
    expect(problem('{"jsonrpc":"2.0","id":[],"method":"ps"}')[0]).toBeNull();
    expect(problem(JSON.stringify({ jsonrpc: "2.0", id: "x".repeat(129), method: "ps" }))[1]).toContain(
      "128 characters",
    );
  });

  test("that is a batch is refused as a whole", () => {
    const line = read('[{"jsonrpc":"2.0","id":1,"method":"ps"},{"jsonrpc":"2.0","id":2,"method":"info"}]');
    expect(replyOf(line).error.message).toContain("batches are not supported");
  });

  test("that nests a million levels, or holds a million lists, is refused before it is parsed", () => {
    for (const bomb of [
      "[".repeat(1_000_000),
      '{"a":'.repeat(200_000),
      "[]".repeat(500_000),
      `[${"[],".repeat(300_000)}1]`,
    ]) {
      expect(["broken", "foreign"]).toContain(read(bomb).kind);
    }
    expect(
      replyOf(read(`{"jsonrpc":"2.0","id":1,"method":"ps","params":${"[".repeat(40)}${"]".repeat(40)}}`)).error.message,
    ).toContain("nests deeper");
  });

  test("may hold any number of brackets inside its strings", () => {
    const command = [`{"a":"\\"[{"}${"[".repeat(1000)}`];
    const line = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "run", params: { command } });
    expect(read(line)).toMatchObject({ kind: "request", params: { command } });
  });
});

test("each side reads what the other writes, one line each", () => {
  const request = encodeRequest(3, "run", { command: ["a\nb"] });
  expect(request.indexOf("\n")).toBe(request.length - 1);
  expect(read(request.trimEnd())).toEqual({ kind: "request", id: 3, method: "run", params: { command: ["a\nb"] } });
  const answer = (line: string) => parseServerLine(bytes(line.trimEnd()));
  expect(answer(encodeResult<"scale">(3, { from: 1, to: 2 }))).toEqual({
    kind: "result",
    id: 3,
    result: { from: 1, to: 2 },
  });
  expect(answer(encodeError(3, { code: 1, message: "no" }))).toEqual({
    kind: "error",
    id: 3,
    error: { code: 1, message: "no" },
  });
  const ended = '{"jsonrpc":"2.0","method":"logEnd","params":{}}\n';
  expect(answer(ended)).toEqual({ kind: "notification", method: "logEnd", params: {} });
  expect(answer("Welcome!")).toEqual({ kind: "other", text: "Welcome!" });
});
