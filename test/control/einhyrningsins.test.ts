// Parsing einhyrningsins' lines. Their bytes on a real socket are in test/e2e/einhyrningsins/protocol.test.ts.
import { expect, test } from "bun:test";
import {
  decodeAnswer,
  encodeAnswer,
  encodeRequest,
  helpText,
  parseRequest,
} from "../../src/control/dialects/einhyrningsins.ts";

test("a command is read by its name, and shutdown is another name of die", () => {
  for (const kind of ["ehlo", "help", "version", "status", "inc", "dec", "upgrade", "die"] as const)
    expect(parseRequest(encodeRequest(kind, []).trim())).toEqual({ kind });
  expect(parseRequest('{"command":"shutdown"}')).toEqual({ kind: "die" });
});

test("a signal may have the prefix SIG or lower case, but not both", () => {
  for (const name of ["SIGHUP", "HUP", "hup"])
    expect(parseRequest(encodeRequest("signal", [name]))).toEqual({ kind: "signal", signal: "SIGHUP" });
  for (const name of ["Hup", "sighup", "SIGhup", "", "SIG", "QUIT", "9"])
    expect(parseRequest(encodeRequest("signal", [name]))).toEqual({
      kind: "mistaken",
      answer: "Missing or unhandled 'signal'",
    });
});

test("an acknowledgement has a positive pid", () => {
  expect(parseRequest('{"command":"worker:ack", "pid":12}')).toEqual({ kind: "acknowledge", pid: 12 });
  for (const pid of ["0", "-1", "1.5", '"x"', "null", "1e99"])
    expect(parseRequest(`{"command":"worker:ack","pid":${pid}}`)).toMatchObject({ kind: "mistaken" });
});

test("an empty line is ignored, and any other line is an error", () => {
  for (const line of ["", "\r"]) expect(parseRequest(line)).toEqual({ kind: "nothing" });
  for (const line of [null, " ", "{", "nonsense", "'{}'"])
    expect(parseRequest(line)).toEqual({ kind: "mistaken", answer: "Expected valid JSON!" });
  for (const line of ["[]", "1", "null", '"inc"', "{}", '{"command":"INC"}', '{"__proto__":{"command":"inc"}}'])
    expect(parseRequest(line)).toEqual({ kind: "mistaken", answer: "Missing or unhandled 'command'" });
});

test("an answer is one line and survives the round trip", () => {
  const answer = encodeAnswer(helpText());
  expect(answer.indexOf("\n")).toBe(answer.length - 1);
  expect(decodeAnswer(answer.trim())).toBe(helpText());
  expect(decodeAnswer("no JSON")).toBe("no JSON");
  expect(decodeAnswer('{"a":1}')).toBe('{"a":1}');
});
