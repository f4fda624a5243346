// A damaged state for a re-exec: the next keeper ends with an error and takes over nothing.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { SOCK_STREAM } from "../../../src/supervisor/os/sockaddr.ts";
import { bytesOf, DrivenKeeper, openTcp, openUnix, sh } from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";
import { endProcess } from "../harness/real-keeper.ts";

/** Magic, version, length of the parts, all little-endian. */
const VERSION_AT = 8;
const LENGTH_AT = 12;
const PARTS_AT = 20;

let keeper: DrivenKeeper;
let workers: number[];
beforeEach(() => {
  keeper = new DrivenKeeper();
  workers = [];
});
afterEach(async () => {
  for (const pid of workers) endProcess(pid);
  await keeper.clean();
});

/** The state of a keeper that has some of everything: written by the program that it re-executes as. */
const leftState = async (): Promise<Buffer> => {
  await keeper.start({ args: ["-a", "b"] });
  keeper.commit([
    { kind: "put", key: "key", value: bytesOf("value") },
    openTcp(1, "127.0.0.1"),
    openUnix(2, keeper.path("control"), SOCK_STREAM),
    { kind: "acceptOn", handle: 2 },
    { kind: "setBase", env: [["A", "b"]], unset: [] },
    { kind: "lock", id: 1, path: keeper.path("lock") },
    plainSpawn(1, sh("echo said; exec sleep 600"), { notifyFd: 3, notifyPath: keeper.path("notify") }),
  ]);
  workers.push((await keeper.eventually("spawned")).pid);
  const state = keeper.path("state");
  const program = keeper.path("program");
  writeFileSync(program, `#!/bin/sh\ncat /proc/self/fd/$CRANK_KEEPER_STATE > ${state}\n`);
  chmodSync(program, 0o755);
  keeper.commit([{ kind: "execute", path: program }]);
  expect(await keeper.keeper.ended).toBe(0);
  return readFileSync(state);
};

/** Starts the keeper with this as its predecessor's state. */
const resume = async (bytes: Uint8Array): Promise<{ status: number | null; stderr: string }> => {
  const path = keeper.path("damaged");
  writeFileSync(path, bytes);
  const file = openSync(path, "r");
  const child = Bun.spawn([`${keeper.keeper.home}/bin/crank`], {
    env: { ...process.env, CRANK_KEEPER_STATE: "3" },
    stdio: ["ignore", "ignore", "pipe", file],
  });
  closeSync(file);
  const stderr = await new Response(child.stderr).text();
  await child.exited;
  return { status: child.exitCode, stderr };
};

/** The state with its parts cut to so many bytes, and their length field set to that. */
const cut = (state: Buffer, length: number): Buffer => {
  const damaged = Buffer.from(state.subarray(0, PARTS_AT + length));
  damaged.writeBigUInt64LE(BigInt(length), LENGTH_AT);
  return damaged;
};

test("a state that is cut anywhere, or of another version, ends the next keeper with an error", async () => {
  const state = await leftState();
  const length = Number(state.readBigUInt64LE(LENGTH_AT));
  expect(state.subarray(0, 8).toString()).toBe("crankkpr");
  expect(length).toBeGreaterThan(200);
  const later = Buffer.from(state);
  later.writeUInt32LE(99, VERSION_AT);
  const tooLong = Buffer.from(state);
  tooLong.writeBigUInt64LE(1n << 62n, LENGTH_AT);
  const cuts = Array.from({ length: 48 }, (_, index) => cut(state, Math.floor((length * index) / 48)));
  const damaged = [
    state.subarray(0, 8),
    state.subarray(0, PARTS_AT),
    state.subarray(0, PARTS_AT + length - 1),
    // All of the keeper's own state, and half of its output thread's.
    state.subarray(0, PARTS_AT + length),
    state.subarray(0, Math.floor((PARTS_AT + length + state.length) / 2)),
    later,
    tooLong,
    ...cuts,
  ];
  for (const bytes of damaged) {
    const { status, stderr } = await resume(bytes);
    expect(stderr).toContain("start crank again to adopt the workers");
    expect(status).toBe(1);
  }
});
