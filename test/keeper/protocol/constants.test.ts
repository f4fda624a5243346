// keeper/protocol/protocol.h is generated from src/keeper/protocol.ts, and the table's codes are valid.
import { expect, test } from "bun:test";
import { join } from "node:path";
import * as protocol from "../../../src/keeper/protocol.ts";
import { ROOT, run } from "../../setup/command.ts";

test("the protocol's C header matches its table", () => {
  const { status, stderr } = run(process.execPath, [join(ROOT, "tools/write-keeper-protocol.ts"), "--check"], {
    cwd: ROOT,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("the protocol uses each code once, and each fits in a byte", () => {
  for (const table of [protocol.COMMANDS, protocol.MESSAGES]) {
    const codes = Object.values(table).map((frame) => frame.code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(Math.max(...codes)).toBeLessThan(256);
  }
});
