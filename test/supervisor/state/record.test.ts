// The record as text: written, read back, and as the original crank wrote it.
import { describe, expect, test } from "bun:test";
import type { GoodSpec } from "../../../src/core/model/spec.ts";
import { DEFAULTS, emptySpec } from "../../../src/spec/defaults.ts";
import { formatRecord, parseRecord } from "../../../src/supervisor/adoption/record.ts";

const good = (generation: number): GoodSpec => ({
  generation,
  at: 1_700_000_000_000,
  spec: {
    ...emptySpec({}),
    command: ["ruby", `app${generation}.rb`],
    cwd: "/srv",
    env: { A: "1", B: null },
    user: { name: "www", uid: 33, gid: 33, groups: [33] },
    umask: 18,
    limits: [{ name: "nofile", soft: 10, hard: null }],
    instances: 3,
    startTimeoutMs: 5000,
    stopTimeoutMs: null,
    stopSteps: [{ signal: "SIGTERM", afterMs: 0 }],
    handOver: true,
    fdStore: 7,
    retries: 2,
    pauseMs: 5000,
    maxDraining: 3,
    maxAgeMs: 86_400_000,
    maxMemory: 1_000_000_000,
    memoryIntervalMs: 30_000,
  },
});

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** A record as another program or another version of crank may have written it. */
const written = (entries: readonly unknown[]): string => JSON.stringify({ crank: { version: 1, history: entries } });

const generations = (text: string): number[] => {
  const reading = read(text);
  if (reading.kind !== "history") throw new Error(reading.reason);
  return reading.history.map(({ generation }) => generation);
};

const read = (text: string) => parseRecord(text, DEFAULTS, "/home");

describe("the record", () => {
  test("reads back as written", () => {
    const history = [good(1), good(2)];
    expect(read(formatRecord(history))).toEqual({ kind: "history", history, leftOut: [] });
    expect(read(formatRecord([]))).toEqual({ kind: "history", history: [], leftOut: [] });
  });

  test("has the four keys that the original reads, with durations in nanoseconds", () => {
    expect(JSON.parse(formatRecord([good(1)]))).toMatchObject({
      cwd: "/srv",
      command: ["ruby", "app1.rb"],
      start_timeout: 5_000_000_000,
      stop_timeout: 0,
    });
  });

  test("of the original crank is read, and zero or less means no limit", () => {
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

  test("of the original crank with a stop timeout ends in SIGKILL at that time", () => {
    const reading = read('{"command":["x"],"stop_timeout":7000000000}');
    if (reading.kind !== "history") throw new Error(reading.reason);
    expect(reading.history[0]?.spec.stopSteps).toEqual([
      { signal: "SIGTERM", afterMs: 0 },
      { signal: "SIGKILL", afterMs: 7000 },
    ]);
    expect(reading.history[0]?.spec.startTimeoutMs).toBeNull();
  });

  test("that is too long gives its newest ten", () => {
    expect(generations(written(numbers(1, 19).map(good)))).toEqual(numbers(10, 19));
  });

  test("with every run twice gives each once, in order", () => {
    const doubled = [...numbers(3, 10), ...numbers(1, 10)].map(good);
    expect(generations(written(doubled))).toEqual(numbers(1, 10));
  });

  test("is never written longer than can be read, or with a run twice", () => {
    expect(generations(formatRecord([...numbers(1, 15), ...numbers(9, 15)].map(good)))).toEqual(numbers(6, 15));
  });

  test("with a bad entry keeps the others, and reports which it was", () => {
    const { command, ...rest } = good(2).spec;
    const reading = read(written([good(1), { ...good(2), spec: rest }, good(3), null]));
    expect(reading).toMatchObject({
      history: [good(1), good(3)],
      leftOut: [
        expect.stringContaining("wrong value at crank.history.1.spec.command"),
        expect.stringContaining("wrong value at crank.history.3"),
      ],
    });
  });

  test("with a damaged history still gives the original crank's keys", () => {
    const text = JSON.stringify({ cwd: "/srv", command: ["ruby"], crank: { version: 1, history: [{}] } });
    expect(read(text)).toMatchObject({
      history: [{ generation: 0, spec: { command: ["ruby"], cwd: "/srv" } }],
      leftOut: [expect.stringContaining("crank.history.0")],
    });
    expect(read('{"command":["ruby"],"crank":{"version":1}}')).toMatchObject({
      history: [{ spec: { command: ["ruby"] } }],
      leftOut: [expect.stringContaining("crank.history")],
    });
  });

  test.each([
    ["", "is empty"],
    ["  \n", "is empty"],
    ['{"cwd":"/', "cut off"],
    ["hello", "not JSON"],
    ["[]", "is a list"],
    ['{"command":"ruby"}', "wrong value at command"],
    ['{"command":["x"],"start_timeout":"5"}', "wrong value at start_timeout"],
    ['{"crank":{"version":99,"history":[]}}', "later version"],
    ['{"crank":{"version":1,"history":[{"generation":1}]}}', "wrong value at crank.history"],
  ])("containing %p is unusable, with the reason", (text, part) => {
    const reading = read(text);
    if (reading.kind !== "unusable") throw new Error("it was taken");
    expect(reading.reason).toContain(part);
  });
});

test("a spec that is larger than crank's limit is left out of the record", () => {
  const { spec } = good(1);
  const large = { ...good(1), spec: { ...spec, env: { A: "x".repeat(1024 * 1024 + 32 * 1024) } } };
  expect(read(written([large]))).toMatchObject({
    kind: "unusable",
    reason: expect.stringContaining("(generation 1), more than"),
  });
  expect(read(written([large, good(2)]))).toMatchObject({
    history: [good(2)],
    leftOut: [expect.stringContaining("(generation 1), more than")],
  });
});
