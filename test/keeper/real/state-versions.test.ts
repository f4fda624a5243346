// The states that keepers of every version have left: this version takes each over and refuses a later one.
import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../../..");
const FIXTURES = join(ROOT, "test/fixtures");
const VERSION = Number(/STATE_VERSION = (\d+)/.exec(readFileSync(join(ROOT, "keeper/reexec/reexec.c"), "utf8"))?.[1]);
const names = readdirSync(FIXTURES).filter((name) => /^keeper-state-\d+$/.test(name));

/** Makes every descriptor that a state may name one that can be polled; then the keeper tries to take the state over. */
const REHEARSAL = `import os, socket, sys
state = os.open(sys.argv[1], os.O_RDONLY)
os.dup2(state, 200)
pairs = [socket.socketpair() for _ in range(40)]
for fd in range(3, 100): os.dup2(pairs[0][0].fileno(), fd) if fd != state else None
os.environ.update(CRANK_KEEPER_STATE="200", CRANK_KEEPER_REHEARSAL="1")
os.set_inheritable(200, True)
os.execv(sys.argv[2], ["crank"])`;

/** How the keeper ends after it has tried to take this over. */
const rehearse = (state: Uint8Array): number | null => {
  const directory = mkdtempSync(join(tmpdir(), "crank-state-"));
  try {
    const path = join(directory, "state");
    writeFileSync(path, state);
    const command = ["python3", "-c", REHEARSAL, path, join(ROOT, "bin/crank")];
    return Bun.spawnSync(command, { stdin: "ignore", stdout: "inherit", stderr: "inherit" }).exitCode;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

test("there is a fixture of each version (test/fixtures/make-keeper-state.ts makes the next one)", () => {
  expect(names.sort()).toEqual(Array.from({ length: VERSION }, (_, index) => `keeper-state-${index + 1}`));
});

test.each(names)("%s is taken over", (name) => {
  expect(rehearse(readFileSync(join(FIXTURES, name)))).toBe(0);
});

test("a state of a later version is distinguished from a damaged one", () => {
  const state = readFileSync(join(FIXTURES, `keeper-state-${VERSION}`));
  const later = Buffer.from(state);
  later.writeUInt32LE(VERSION + 1, 8);
  expect(rehearse(later)).toBe(2);
  const earlier = Buffer.from(state);
  earlier.writeUInt32LE(VERSION - 1, 8);
  // It is longer than that version's state.
  expect(rehearse(earlier)).toBe(1);
  expect(rehearse(state.subarray(0, state.length - 1))).toBe(1);
});
