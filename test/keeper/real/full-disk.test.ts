// A real keeper's journal on a disk that fills up and later has room again.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Journal, readJournal } from "../../../src/keeper/journal.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { bytesOf, DrivenKeeper, textOf, until } from "../harness/driven-keeper.ts";

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

const EROFS = 30;
const BALLAST = "ballast";
const rooted = needing(ROOT_USER);

/** Starts the keeper with a disk of its own, which is removed with it. Returns the disk's path. */
const startWithSmallDisk = async (): Promise<string> => {
  const disk = keeper.path("disk");
  mkdirSync(disk);
  const mount = `mount -t tmpfs -o size=512k crank-test "${disk}" && exec "$@"`;
  await keeper.start({ wrapper: ["unshare", "--mount", "--", "sh", "-c", mount, "sh"] });
  return `/proc/${keeper.pid}/root${disk}`;
};

/** The same, with its journal on the disk. */
const startOnSmallDisk = async (): Promise<string> => {
  const disk = await startWithSmallDisk();
  keeper.commit([
    { kind: "put", key: "k", value: bytesOf("first") },
    { kind: "openJournal", path: keeper.path("disk/journal") },
    { kind: "barrier", token: 1 },
  ]);
  await keeper.event("reached");
  return disk;
};

const fill = (disk: string): void => {
  for (let bytes = 64 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) writeFileSync(join(disk, BALLAST), new Uint8Array(bytes), { flag: "a" });
    } catch {
      // No room for this size.
    }
  }
  expect(statfsSync(disk).bavail).toBe(0);
};

const journalOn = (disk: string): Journal["kind"] | "missing" =>
  existsSync(join(disk, "journal")) ? readJournal(readFileSync(join(disk, "journal"))).kind : "missing";

const lastValue = (bytes: Uint8Array): string | undefined => {
  const journal = readJournal(bytes);
  const value = journal.kind === "entries" ? journal.entries.get("k") : undefined;
  return value === undefined ? undefined : textOf(value).slice(0, 8);
};

let token = 100;

/** Commits this as the value of `k`, and waits until it is done. Returns the events that arrived before. */
const put = async (value: string): Promise<string[]> => {
  token += 1;
  keeper.commit([
    { kind: "put", key: "k", value: bytesOf(value) },
    { kind: "barrier", token },
  ]);
  const kinds: string[] = [];
  for (;;) {
    const message = await keeper.next();
    if (message.kind === "reached" && message.token === token) return kinds;
    kinds.push(message.kind);
  }
};

/** More than the space that is reserved for the journal. */
const exhaust = async (): Promise<void> => {
  const kinds: string[] = [];
  for (let round = 0; round < 40; round++) kinds.push(...(await put(`${round}`.padEnd(10_000))));
  expect(kinds.filter((kind) => kind === "journalFailed")).toHaveLength(1);
};

rooted.test("a full disk still takes the journal's next changes", async () => {
  const disk = await startOnSmallDisk();
  fill(disk);
  for (let round = 0; round < 20; round++) expect(await put(`round${round}`)).toEqual([]);
  expect(lastValue(readFileSync(join(disk, "journal")))).toBe("round19");
});

rooted.test("a journal that leaves the disk invalidates its file there at once", async () => {
  const disk = await startOnSmallDisk();
  fill(disk);
  await exhaust();
  expect(["missing", "stale"]).toContain(journalOn(disk));
  expect(await put("last")).toEqual([]);
  const hello = await keeper.replaceSupervisor();
  const entries = hello.flatMap((message) => (message.kind === "helloEntry" ? [textOf(message.value)] : []));
  expect(entries).toEqual(["last"]);
  expect(["missing", "stale"]).toContain(journalOn(disk));
});

rooted.test("the journal returns to the disk soon after there is room, and reports it once", async () => {
  const disk = await startOnSmallDisk();
  fill(disk);
  await exhaust();
  writeFileSync(join(disk, BALLAST), "");
  // No other event arrives meanwhile.
  const { afterMs } = await keeper.event("journalRestored");
  expect(afterMs).toBeGreaterThan(0);
  expect(afterMs).toBeLessThan(60_000);
  expect(lastValue(readFileSync(join(disk, "journal")))).toBe("39".padEnd(8));
  expect(await put("later")).toEqual([]);
  expect(lastValue(readFileSync(join(disk, "journal")))).toBe("later");
});

rooted.test("a keeper that leaves its workers to the next one retries the disk before it exits", async () => {
  const disk = await startOnSmallDisk();
  const seen = openSync(disk, "r");
  fill(disk);
  await exhaust();
  writeFileSync(join(disk, BALLAST), "");
  keeper.commit([{ kind: "exit", status: 0, keepJournal: 1 }]);
  expect(await keeper.keeper.ended).toBe(0);
  expect(lastValue(readFileSync(`/proc/self/fd/${seen}/journal`))).toBe("39".padEnd(8));
  closeSync(seen);
});

rooted.test("a compaction without disk space leaves the journal unchanged and in use", async () => {
  const disk = await startOnSmallDisk();
  const path = join(disk, "journal");
  let round = 0;
  for (; round < 24; round++) await put(`${round}`.padEnd(10_000));
  fill(disk);
  for (; round < 28; round++) expect(await put(`${round}`.padEnd(10_000))).toEqual([]);
  await until("the last change", () => lastValue(readFileSync(path)) === "27".padEnd(8));
});

rooted.test(
  "on a full disk an earlier keeper's journal stays valid until the new journal differs from it",
  async () => {
    const disk = await startWithSmallDisk();
    writeFileSync(join(disk, "journal"), "left", { mode: 0o600 });
    fill(disk);
    // It does not fit into the space of the earlier one.
    keeper.commit([
      { kind: "put", key: "k", value: bytesOf("same".padEnd(50_000)) },
      { kind: "takeJournal", path: keeper.path("disk/journal") },
    ]);
    await keeper.event("journalFailed");
    expect(readFileSync(join(disk, "journal"), "utf8")).toBe("left");
    await put("other".padEnd(50_000));
    expect(journalOn(disk)).toBe("missing");
    writeFileSync(join(disk, BALLAST), "");
    await keeper.event("journalRestored");
    expect(lastValue(readFileSync(join(disk, "journal")))).toBe("other".padEnd(8));
  },
);

rooted.test("the journal can use the space of an earlier keeper's journal", async () => {
  const disk = await startWithSmallDisk();
  writeFileSync(join(disk, "journal"), "left".repeat(10_000), { mode: 0o600 });
  fill(disk);
  keeper.commit([
    { kind: "put", key: "k", value: bytesOf("same") },
    { kind: "takeJournal", path: keeper.path("disk/journal") },
  ]);
  await keeper.event("journalFailed");
  expect(await put("other")).toEqual(["journalRestored"]);
  expect(lastValue(readFileSync(join(disk, "journal")))).toBe("other");
});

rooted.test("a journal that cannot move to a read-only disk stays in memory", async () => {
  await startWithSmallDisk();
  const there = ["nsenter", "-t", String(keeper.pid), "--mount"];
  const { exitCode } = Bun.spawnSync([...there, "mount", "-o", "remount,ro", keeper.path("disk")]);
  expect(exitCode).toBe(0);
  keeper.commit([{ kind: "openJournal", path: keeper.path("disk/journal") }]);
  expect((await keeper.event("failed")).errno).toBe(EROFS);
  expect(await put("unwritten")).toEqual([]);
  const hello = await keeper.replaceSupervisor();
  const entries = hello.flatMap((message) => (message.kind === "helloEntry" ? [textOf(message.value)] : []));
  expect(entries).toEqual(["unwritten"]);
});

test("a journal that is marked stale is not read", () => {
  expect(readJournal(bytesOf("crankold and whatever follows"))).toEqual({ kind: "stale" });
});
