// What is in effect over the control protocol: `config`, and runs that inherit nothing from earlier ones.
import { expect, test } from "bun:test";
import { connect } from "../../../src/control/client.ts";
import type { Method, Methods } from "../../../src/control/messages.ts";
import { SPEC_ROWS } from "../../../src/spec/fields.ts";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

const web = eachTest(new Service({ app: RESPONDER }));

const call = async <M extends Method>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]> => {
  const client = await connect({ kind: "unix", path: web.path("web.ctl") }, () => {});
  try {
    return await client.call(method, params);
  } finally {
    client.close();
  }
};

test("a fresh run has the defaults of a first deploy for what it leaves out", async () => {
  await web.start();
  await web.app("one", "-instances", "2", "-stop", "9", "-env", "A=1", "-limit", "nofile=512", "-max-age", "1h");
  await call("run", { fresh: true, wait: true, command: [...RESPONDER, "two"], env: { B: "2" } });
  await web.settled(1);
  const { running } = await call("config", {});
  expect(running).toMatchObject({
    generation: 2,
    command: [...RESPONDER, "two"],
    values: { instances: 1, stopTimeout: 30_000, env: { B: "2" }, limits: {}, maxAge: null },
  });
});

test("a fresh run without a command is refused, and nothing changes", async () => {
  await web.start();
  await web.app("one");
  await expect(call("run", { fresh: true, instances: 2 })).rejects.toThrow("Command is missing");
  expect((await web.status()).generation).toBe(1);
});

test("config has a value for every parameter, and names links that have moved", async () => {
  await web.start();
  expect(await call("config", {})).toEqual({ running: null, rollout: null, asked: null });
  await web.app(
    "one",
    "-ready",
    "exec:true",
    "-probe-interval",
    "0.5",
    "-live",
    "watchdog:60",
    "-stop-steps",
    "INT,TERM@3,KILL@7",
  );
  const { running, asked } = await call("config", { run: { instances: 3 } });
  expect(Object.keys(running?.values ?? {}).sort()).toEqual(
    [...new Set(SPEC_ROWS.map(([, { parameter }]) => parameter))].sort(),
  );
  expect(running?.values).toMatchObject({
    ready: { kind: "exec", command: ["true"] },
    probeInterval: 500,
    probeThreshold: 1,
    live: { kind: "watchdog", period: 60_000 },
    liveInterval: null,
    stopSignal: "SIGINT",
    stopSteps: [
      { signal: "SIGINT", after: 0 },
      { signal: "SIGTERM", after: 3000 },
      { signal: "SIGKILL", after: 7000 },
    ],
  });
  expect(asked?.values).toEqual({ ...running?.values, instances: 3 });
  expect(asked?.resolved).toEqual(running?.resolved);
});

test("config refuses what run would refuse", async () => {
  await web.start();
  await web.app("one");
  await expect(call("config", { run: { user: "no-such-user" } })).rejects.toThrow('No such user: "no-such-user"');
  await expect(call("config", { run: { surge: 0 } })).rejects.toThrow("With -surge 0");
});
