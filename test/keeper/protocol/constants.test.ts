// keeper/protocol/protocol.h is written from src/keeper/protocol.ts, and the table can be written so.
import { expect, test } from "bun:test";
import { join } from "node:path";
import * as protocol from "../../../src/keeper/protocol.ts";
import { ROOT, run } from "../../setup/command.ts";

test("the C header of the protocol is what its table says", () => {
  const { status, stderr } = run(process.execPath, [join(ROOT, "tools/write-keeper-protocol.ts"), "--check"], {
    cwd: ROOT,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("the protocol uses each code once, and none above a byte", () => {
  for (const table of [protocol.COMMANDS, protocol.MESSAGES]) {
    const codes = Object.values(table).map((frame) => frame.code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(Math.max(...codes)).toBeLessThan(256);
  }
});
