// The record as text: written, read back, and the original crank's.
import { describe, expect, test } from "bun:test";
import type { GoodSpec } from "../../src/core/spec.ts";
import { formatRecord, parseRecord } from "../../src/supervisor/record.ts";
import { CRANK_DEFAULTS } from "../../src/supervisor/settings.ts";

const good = (generation: number): GoodSpec => ({
  generation,
  at: 1_700_000_000_000,
  spec: {
    command: ["ruby", `app${generation}.rb`],
    cwd: "/srv",
    env: { A: "1", B: null },
    user: { name: "www", uid: 33, gid: 33, groups: [33] },
    umask: 18,
    limits: [{ name: "nofile", soft: 10, hard: null }],
    instances: 3,
    surge: 1,
    unavailable: 0,
    readiness: { kind: "notify" },
    liveness: null,
    minReadyMs: 0,
    startTimeoutMs: 5000,
    stopTimeoutMs: null,
    stopSteps: [{ signal: "SIGTERM", afterMs: 0 }],
    killMode: "group",
    handOver: true,
    fdStore: 7,
    retries: 2,
    rolloutDeadlineMs: null,
    pauseMs: 5000,
    maxDraining: 3,
    maxAgeMs: 86_400_000,
    maxMemory: 1_000_000_000,
    memoryIntervalMs: 30_000,
  },
});

const read = (text: string) => parseRecord(text, CRANK_DEFAULTS, "/home");

describe("the record", () => {
  test("gives back what was written", () => {
    const history = [good(1), good(2)];
    expect(read(formatRecord(history))).toEqual({ kind: "history", history });
    expect(read(formatRecord([]))).toEqual({ kind: "history", history: [] });
  });

  test("carries the four keys that the original reads, durations in nanoseconds", () => {
    expect(JSON.parse(formatRecord([good(1)]))).toMatchObject({
      cwd: "/srv",
      command: ["ruby", "app1.rb"],
      start_timeout: 5_000_000_000,
      stop_timeout: 0,
    });
  });

  test("of the original crank is understood, and nothing or less is no limit", () => {
    const reading = read('{"cwd":"","command":["ruby","app.rb"],"start_timeout":5000000000,"stop_timeout":-1}');
    if (reading.kind !== "history") throw new Error(reading.reason);
    expect(reading.history[0]?.spec).toMatchObject({
      command: ["ruby", "app.rb"],
      cwd: "/home",
      startTimeoutMs: 5000,
      stopTimeoutMs: null,
      stopSteps: [{ signal: "SIGTERM", afterMs: 0 }],
    });
  });

  test("of the original crank with a stop timeout ends in a SIGKILL then", () => {
    const reading = read('{"command":["x"],"stop_timeout":7000000000}');
    if (reading.kind !== "history") throw new Error(reading.reason);
    expect(reading.history[0]?.spec.stopSteps).toEqual([
      { signal: "SIGTERM", afterMs: 0 },
      { signal: "SIGKILL", afterMs: 7000 },
    ]);
    expect(reading.history[0]?.spec.startTimeoutMs).toBeNull();
  });

  test.each([
    ["", "is empty"],
    ["  \n", "is empty"],
    ['{"cwd":"/', "cut off"],
    ["hello", "not JSON"],
    ["[]", "has a list"],
    ['{"command":"ruby"}', "wrong value at command"],
    ['{"command":["x"],"start_timeout":"5"}', "wrong value at start_timeout"],
    ['{"crank":{"version":99,"history":[]}}', "later version"],
    ['{"crank":{"version":1,"history":[{"generation":1}]}}', "wrong value at crank.history"],
  ])("with %p in it is unusable, and says why", (text, part) => {
    const reading = read(text);
    if (reading.kind !== "unusable") throw new Error("it was taken");
    expect(reading.reason).toContain(part);
  });
});

test("a record with a spec that is larger than any that crank would keep is not used", () => {
  const { spec } = good(1);
  const text = formatRecord([{ ...good(1), spec: { ...spec, env: { A: "x".repeat(1024 * 1024) } } }]);
  expect(read(text)).toMatchObject({ kind: "unusable", reason: expect.stringContaining("(generation 1), more than") });
});
