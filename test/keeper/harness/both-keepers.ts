// The real keeper and the simulated one, for tests that both have to pass.
import { afterEach, expect } from "bun:test";
import {
  attached,
  type Client,
  commit,
  expectEvent,
  type KeeperUnderTest,
  type SupervisorEnd,
} from "./keeper-under-test.ts";
import { startReal } from "./real-keeper.ts";
import { startSimulated } from "./simulated-keeper.ts";

type Start = () => Promise<KeeperUnderTest>;

export const KEEPERS: readonly (readonly [string, Start])[] = [
  ["real", startReal],
  ["simulated", startSimulated],
];

/** The handle of the control socket. */
export const CONTROL = 2;

/** A keeper with a control socket and one client that has sent a line, which is consumed. */
export type Served = {
  readonly keeper: KeeperUnderTest;
  readonly end: SupervisorEnd;
  readonly client: Client;
  readonly connection: number;
};

/** Starts keepers for the tests of the `describe` around it, and ends them after each. */
export const keepersOf = (
  start: Start,
): { readonly fresh: () => Promise<KeeperUnderTest>; readonly withClient: () => Promise<Served> } => {
  let running: KeeperUnderTest[] = [];
  const fresh = async (): Promise<KeeperUnderTest> => {
    const keeper = await start();
    running.push(keeper);
    return keeper;
  };
  afterEach(async () => {
    for (const keeper of running) await keeper.stop();
    running = [];
  });

  const withClient = async (): Promise<Served> => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send(keeper.controlSocket(CONTROL), { kind: "acceptOn", handle: CONTROL }, commit(0));
    const opened = await expectEvent(end, "opened");
    const client = await keeper.connect();
    client.send("hello\n");
    const line = await expectEvent(end, "line");
    expect(opened).toMatchObject({ handle: CONTROL, listening: 1 });
    expect(new TextDecoder().decode(line.bytes)).toBe("hello");
    end.send(commit(line.seq));
    return { keeper, end, client, connection: line.connection };
  };
  return { fresh, withClient };
};
