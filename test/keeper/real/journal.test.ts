// A real keeper's journal.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { readJournal } from "../../../src/keeper/journal.ts";
import { COMMANDS } from "../../../src/keeper/protocol.ts";
import { bytesOf, DrivenKeeper } from "../harness/driven-keeper.ts";

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

describe("the journal", () => {
  test("moves into a file that only its owner can read, and is removed with the keeper", async () => {
    await keeper.start();
    keeper.commit([
      { kind: "put", key: "k", value: bytesOf("v") },
      { kind: "openJournal", path: keeper.path("journal") },
      { kind: "barrier", token: 1 },
    ]);
    await keeper.event("reached");
    expect(statSync(keeper.path("journal")).mode & 0o777).toBe(0o600);
    keeper.commit([{ kind: "exit", status: 5, keepJournal: 0 }]);
    expect(await keeper.keeper.ended).toBe(5);
    expect(existsSync(keeper.path("journal"))).toBe(false);
  });

  test("stays when it is to be kept, and overwritten entries do not make it grow", async () => {
    await keeper.start();
    keeper.commit([{ kind: "openJournal", path: keeper.path("journal") }]);
    for (let round = 0; round < 200; round++)
      keeper.commit([{ kind: "put", key: "k", value: new Uint8Array(10_000).fill(round) }]);
    keeper.commit([{ kind: "barrier", token: 1 }]);
    await keeper.event("reached");
    expect(statSync(keeper.path("journal")).size).toBeLessThan(1_000_000);
    keeper.commit([{ kind: "exit", status: 0, keepJournal: 1 }]);
    expect(await keeper.keeper.ended).toBe(0);
    expect(existsSync(keeper.path("journal"))).toBe(true);
  });

  test("replaces an earlier one when it is complete", async () => {
    writeFileSync(keeper.path("journal"), "what was left");
    await keeper.start();
    keeper.commit([
      { kind: "put", key: "k", value: bytesOf("v") },
      { kind: "openJournal", path: keeper.path("journal") },
      { kind: "barrier", token: 1 },
    ]);
    await keeper.event("reached");
    expect(readJournal(readFileSync(keeper.path("journal")))).toMatchObject({ kind: "entries", torn: 0 });
  });

  test("leaves an earlier one when it cannot be written", async () => {
    await keeper.start();
    keeper.commit([{ kind: "openJournal", path: keeper.path("missing/journal") }]);
    expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.openJournal.code, step: "open" });
  });

  test("leaves an earlier one in a directory where other users can replace it", async () => {
    writeFileSync(keeper.path("journal"), "what was left");
    await keeper.start();
    chmodSync(keeper.directory, 0o777);
    keeper.commit([{ kind: "openJournal", path: keeper.path("journal") }]);
    expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.openJournal.code, step: "directory" });
    expect(readFileSync(keeper.path("journal"), "utf8")).toBe("what was left");
    expect(readdirSync(keeper.directory)).toEqual(["journal"]);
  });
});
