// A real keeper's journal on a disk whose writes fail with EIO for a while.
import { afterEach, beforeEach, expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Journal, readJournal } from "../../../src/keeper/journal.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { bytesOf, DrivenKeeper, textOf } from "../harness/driven-keeper.ts";

const FAILING_DISK = resolve(import.meta.dir, "../../apps/failing_disk.py");
const EIO = 5;
const rooted = needing(ROOT_USER, { name: "/dev/fuse", isMet: existsSync("/dev/fuse") });

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

/** Starts the keeper with its journal on a disk of its own. Returns the journal's path. */
const start = async (): Promise<string> => {
  mkdirSync(keeper.path("disk"));
  const words = ["python3", FAILING_DISK, keeper.path("disk"), keeper.path("failing")];
  await keeper.start({ wrapper: ["unshare", "--mount", "--", ...words] });
  keeper.commit([
    { kind: "put", key: "k", value: bytesOf("first") },
    { kind: "openJournal", path: keeper.path("disk/journal") },
    { kind: "barrier", token: 1 },
  ]);
  await keeper.event("reached");
  return join(`/proc/${keeper.pid}/root`, keeper.path("disk/journal"));
};

const fail = (what: "writes" | "all"): void => writeFileSync(keeper.path("failing"), what);
const mend = (): void => rmSync(keeper.path("failing"));

let token = 100;

/** Commits this as the value of `k`. Returns the events that arrived before it was done. */
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
    kinds.push(message.kind === "journalFailed" ? `journalFailed ${message.errno}` : message.kind);
  }
};

const kindOf = (path: string): Journal["kind"] | "missing" =>
  existsSync(path) ? readJournal(readFileSync(path)).kind : "missing";

const valueIn = (path: string): string | undefined => {
  const journal = readJournal(readFileSync(path));
  const value = journal.kind === "entries" ? journal.entries.get("k") : undefined;
  return value === undefined ? undefined : textOf(value);
};

const heldValue = async (): Promise<string[]> =>
  (await keeper.replaceSupervisor()).flatMap((message) =>
    message.kind === "helloEntry" ? [textOf(message.value)] : [],
  );

rooted.test("the journal leaves a disk that fails at once, reports it, and loses nothing", async () => {
  const journal = await start();
  expect(await put("second")).toEqual([]);
  expect(valueIn(journal)).toBe("second");
  fail("writes");
  expect(await put("third")).toEqual([`journalFailed ${EIO}`]);
  expect(await put("fourth")).toEqual([]);
  expect(await heldValue()).toEqual(["fourth"]);
});

rooted.test("the old journal is marked stale as soon as the disk permits it, and then written completely", async () => {
  const journal = await start();
  fail("writes");
  expect(await put("second")).toEqual([`journalFailed ${EIO}`]);
  mend();
  const { afterMs } = await keeper.event("journalRestored");
  expect(afterMs).toBeGreaterThan(0);
  expect([kindOf(journal), valueIn(journal)]).toEqual(["entries", "second"]);
  expect(await put("third")).toEqual([]);
  expect(valueIn(journal)).toBe("third");
});

/** The hello of the first later supervisor that works: earlier ones were started while the disk failed. */
const firstThatPuts = async (value: string): Promise<string[]> => {
  for (let life = 0; life < 20; life++) {
    try {
      const hello = await keeper.nextLife();
      keeper.attach();
      await put(value);
      return hello.flatMap((one) => (one.kind === "helloEntry" ? [textOf(one.value)] : []));
    } catch (error) {
      if (!String(error).includes("the supervisor is gone")) throw error;
    }
  }
  throw new Error("no supervisor of twenty lived");
};

rooted.test("a disk that cannot be read either does not end the keeper, which recovers with the disk", async () => {
  const journal = await start();
  fail("all");
  keeper.commit([{ kind: "put", key: "k", value: bytesOf("second") }]);
  await keeper.end.gone;
  mend();
  expect(await firstThatPuts("third")).toEqual(["first"]);
  expect(valueIn(journal)).toBe("third");
});
