// The load clients themselves: a client that misses failures would prove nothing about crank.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Clients } from "../../../examples/demo/clients.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Load } from "../harness/load.ts";
import { freePorts } from "../harness/ports.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

const faulty = async (misdeed: string): Promise<number> => {
  const server = web.bench.start(["python3", join(ROOT, "test/apps/faulty.py"), misdeed]);
  return Number(await waitFor("the server's port", () => server.stdout().includes("\n") && server.stdout().trim()));
};

/** A port at which nothing listens, and that the kernel gives to no other process. */
const closedPort = async (): Promise<number> => {
  const [port = 0] = await freePorts(1);
  return port;
};

const anew = { anew: 2, pauseMs: 5, stays: 0, talkMs: 1000 };
const stays = { anew: 0, pauseMs: 5, stays: 2, talkMs: 5 };

describe("the load client counts", () => {
  test.each([
    ["a request that is reset", "reset", anew, "reset"],
    ["a staying connection that is reset", "reset", stays, "reset"],
    ["a request with half an answer", "cut", anew, "cut"],
    ["a staying connection that is closed without notice", "hang-up", stays, "cut"],
  ] as const)("%s", async (_, misdeed, clients, counted) => {
    const load = new Load({ port: await faulty(misdeed), ...clients });
    await waitFor(`something ${counted}`, () => load.counts[counted] > 3);
    const { answered, drained, problems, ...counts } = await load.stop();
    expect({ answered, drained }).toEqual({ answered: 0, drained: 0 });
    expect(Object.entries(counts).filter(([name, count]) => name !== "talks" && count > 0)).toHaveLength(1);
    expect(problems).not.toHaveLength(0);
  });

  test("a refused connection", async () => {
    const load = new Load({ port: await closedPort(), ...anew });
    await waitFor("refusals", () => load.counts.refused > 3);
    expect(await load.stop()).toMatchObject({ answered: 0, reset: 0, cut: 0 });
  });
});

describe("the demo's clients count", () => {
  test.each([
    ["a request that is reset", "reset", anew, "reset"],
    ["a WebSocket that is reset", "reset", stays, "reset"],
    ["a request with half an answer", "cut", anew, "cut"],
    ["a WebSocket that is closed without notice", "cut", stays, "cut"],
  ] as const)("%s", async (_, misdeed, options, counted) => {
    const clients = new Clients({ port: await faulty(misdeed), ...options });
    await waitFor(`something ${counted}`, () => clients.counts[counted] > 3);
    await clients.stop();
    const { reset, cut, ...others } = clients.counts;
    expect(others).toEqual({ answered: 0, messages: 0, moved: 0, refused: 0 });
    expect(counted === "reset" ? cut : reset).toBe(0);
    expect(clients.problems).not.toHaveLength(0);
  });

  test("a refused connection", async () => {
    const clients = new Clients({ port: await closedPort(), ...anew });
    await waitFor("refusals", () => clients.counts.refused > 3);
    await clients.stop();
    expect(clients.counts).toMatchObject({ answered: 0, reset: 0, cut: 0 });
  });
});
