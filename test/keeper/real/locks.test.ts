// A real keeper's locks: what stops a second keeper, and how locks are released.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, linkSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { COMMANDS } from "../../../src/keeper/protocol.ts";
import { DrivenKeeper } from "../harness/driven-keeper.ts";

const EPERM = 1;
const EAGAIN = 11;

let keeper: DrivenKeeper;
let other: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
  other = new DrivenKeeper();
});
afterEach(async () => {
  await keeper.clean();
  await other.clean();
});

const lock = (id: number, name: string) => ({ kind: "lock", id, path: keeper.path(name) }) as const;

/** Acquires these free locks. */
const take = async (who: DrivenKeeper, ...names: readonly string[]): Promise<void> => {
  who.commit([...names.map((name, index) => lock(index + 1, name)), { kind: "mark", token: 1 }]);
  await who.event("reached");
};

/** Whether a process holds the lock of this file. */
const isHeld = (name: string): boolean => {
  const program = `import fcntl,sys;fcntl.flock(open(sys.argv[1]),fcntl.LOCK_EX|fcntl.LOCK_NB)`;
  return Bun.spawnSync(["python3", "-c", program, keeper.path(name)]).exitCode !== 0;
};

describe("a lock", () => {
  test("is a file with the keeper's pid, and is removed with the keeper", async () => {
    await keeper.start();
    await take(keeper, "one", "two");
    for (const name of ["one", "two"]) {
      expect(readFileSync(keeper.path(name), "utf8").trim()).toBe(String(keeper.pid));
      expect(isHeld(name)).toBe(true);
    }
    keeper.commit([{ kind: "exit", status: 0, keepJournal: 1 }]);
    expect(await keeper.keeper.ended).toBe(0);
    expect(["one", "two"].map((name) => existsSync(keeper.path(name)))).toEqual([false, false]);
  });

  test("held by another process fails with its pid, and stays with that process", async () => {
    await keeper.start();
    await take(keeper, "one");
    await other.start();
    other.commit([lock(1, "two"), lock(2, "one"), { kind: "mark", token: 1 }]);
    expect(await other.event("failed")).toMatchObject({ command: COMMANDS.lock.code, id: 2, errno: EAGAIN });
    await other.event("reached");
    other.commit([{ kind: "exit", status: 0, keepJournal: 0 }]);
    expect(await other.keeper.ended).toBe(0);
    expect(readFileSync(keeper.path("one"), "utf8").trim()).toBe(String(keeper.pid));
    expect(isHeld("one")).toBe(true);
    expect(existsSync(keeper.path("two"))).toBe(false);
  });

  test("can be acquired again by its holder, and by the next keeper when the holder was killed", async () => {
    await keeper.start();
    await take(keeper, "one");
    await take(keeper, "one");
    await other.start();
    await keeper.keeper.stop();
    expect(existsSync(keeper.path("one"))).toBe(true);
    await take(other, "one");
    expect(readFileSync(keeper.path("one"), "utf8").trim()).toBe(String(other.pid));
  });

  test("is not acquired on a link, a fifo, a file with several names, or a file that others can write to", async () => {
    await keeper.start();
    writeFileSync(keeper.path("precious"), "precious");
    symlinkSync(keeper.path("precious"), keeper.path("link"));
    linkSync(keeper.path("precious"), keeper.path("name"));
    Bun.spawnSync(["mkfifo", keeper.path("fifo")]);
    writeFileSync(keeper.path("open"), "");
    chmodSync(keeper.path("open"), 0o622);
    keeper.commit(["link", "name", "fifo", "open"].map((name, index) => lock(index + 1, name)));
    for (const [id, step] of [
      [1, "type"],
      [2, "links"],
      [3, "type"],
      [4, "mode"],
    ] as const)
      expect(await keeper.event("failed")).toMatchObject({ command: COMMANDS.lock.code, id, step, errno: EPERM });
    expect(readFileSync(keeper.path("precious"), "utf8")).toBe("precious");
  });

  test("whose file was removed is not released for another file of that name", async () => {
    await keeper.start();
    await take(keeper, "one");
    writeFileSync(keeper.path("new"), "another file");
    Bun.spawnSync(["mv", keeper.path("new"), keeper.path("one")]);
    keeper.commit([{ kind: "exit", status: 0, keepJournal: 0 }]);
    expect(await keeper.keeper.ended).toBe(0);
    expect(readFileSync(keeper.path("one"), "utf8")).toBe("another file");
  });

  test("is held through a re-exec, and released at the end", async () => {
    await keeper.start();
    await take(keeper, "one", "two");
    keeper.commit([{ kind: "execute", path: readlinkSync(`/proc/${keeper.pid}/exe`) }]);
    await keeper.nextLife();
    keeper.attach();
    expect([isHeld("one"), isHeld("two")]).toEqual([true, true]);
    keeper.commit([{ kind: "exit", status: 0, keepJournal: 0 }]);
    expect(await keeper.keeper.ended).toBe(0);
    expect(["one", "two"].map((name) => existsSync(keeper.path(name)))).toEqual([false, false]);
  });
});
