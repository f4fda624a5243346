// The pace at which clients are asked to disconnect, in simulated time.
import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { Asking } from "../../src/worker/asking.ts";
import type { Client, Manners } from "../../src/worker/clients.ts";

const MANNERS: Manners = { graceMs: 0, closeCode: 1001, reason: "", tell: undefined };
const STEP_MS = 10;

let now = 0;
let clock: ReturnType<typeof spyOn<Performance, "now">>;
beforeEach(() => {
  now = 0;
  jest.useFakeTimers();
  clock = spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => {
  jest.useRealTimers();
  clock.mockRestore();
});

const passUntil = (end: number): void => {
  for (; now < end; now++) jest.advanceTimersByTime(1);
};

/** So many clients, and the times at which they were asked. */
const crowd = (count: number): { readonly clients: readonly Client[]; readonly askedAt: number[] } => {
  const askedAt: number[] = [];
  const clients = Array.from({ length: count }, () => ({ ask: () => askedAt.push(now), cut: () => {} }));
  return { clients, askedAt };
};

test("the first client is asked at once, and the others evenly over the spread", () => {
  const { clients, askedAt } = crowd(5);
  new Asking(clients, MANNERS, 1000);
  expect(askedAt).toEqual([0]);
  passUntil(2000);
  expect(askedAt.map((at) => Math.round(at / 10) * 10)).toEqual([0, 200, 400, 600, 800]);
});

test("many clients are asked in small groups, at most at twice the even rate", () => {
  const { clients, askedAt } = crowd(10_000);
  new Asking(clients, MANNERS, 20_000);
  passUntil(20_100);
  expect(askedAt).toHaveLength(10_000);
  for (let second = 0; second < 20_000; second += 100) {
    const within = askedAt.filter((at) => at >= second && at < second + 1000).length;
    expect(within).toBeLessThanOrEqual(1000);
    if (second <= 19_000) expect(within).toBeGreaterThan(250);
  }
});

test("all clients are asked at once without a spread", () => {
  const { clients, askedAt } = crowd(100);
  new Asking(clients, MANNERS, 0);
  expect(askedAt).toHaveLength(100);
});

test("a late client is asked after the others, and at once when none waits", () => {
  const { clients, askedAt } = crowd(2);
  const asking = new Asking(clients, MANNERS, 1000);
  const meanwhile = crowd(1);
  for (const client of meanwhile.clients) asking.add(client);
  passUntil(1000 + STEP_MS);
  expect(askedAt).toHaveLength(2);
  expect(meanwhile.askedAt).toHaveLength(1);
  expect(meanwhile.askedAt[0]).toBeGreaterThan(askedAt[1] ?? Number.NaN);
  passUntil(5000);
  const afterwards = crowd(1);
  for (const client of afterwards.clients) asking.add(client);
  expect(afterwards.askedAt).toEqual([5000]);
  expect(asking.count).toBe(4);
});

test("no client is asked after the end", () => {
  const { clients, askedAt } = crowd(3);
  const asking = new Asking(clients, MANNERS, 1000);
  asking.stop();
  for (const client of crowd(1).clients) asking.add(client);
  passUntil(2000);
  expect(askedAt).toEqual([0]);
});
