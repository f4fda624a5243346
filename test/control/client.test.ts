// The client of the control protocol on a real socket: split lines, answers out of order, closed connections.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { CallError, ConnectError, ConnectionLostError, connect, type Notification } from "../../src/control/client.ts";
import { callDeploy } from "../../src/control/deploy-call.ts";
import { Desk } from "../commands/harness/scripted-crank.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

const address = (name = "web") => ({ kind: "unix", path: `${desk.directory}/${name}.ctl` }) as const;
const IMPATIENT = { giveUpAfterMs: 200, pauseMs: 10 };

describe("a client", () => {
  test("reads answers that arrive split, joined or out of order", async () => {
    const answers: (() => void)[] = [];
    desk.serve("web", ({ id, method }, reply) => {
      const line = `${JSON.stringify({ jsonrpc: "2.0", id, result: [method, "ä".repeat(100_000)] })}\n`;
      answers.push(() => reply.raw(line));
      if (answers.length === 3) for (const answer of answers.reverse()) answer();
    });
    const client = await connect(address(), () => {});
    const results = await Promise.all([client.call("ps", {}), client.call("history", {}), client.call("info", {})]);
    expect(results as unknown).toEqual(["ps", "history", "info"].map((method) => [method, "ä".repeat(100_000)]));
    client.close();
  });

  test("delivers notifications in order and ignores unknown ones", async () => {
    const seen: Notification[] = [];
    desk.serve("web", ({ method }, reply) => {
      if (method === "info") return reply.result({});
      reply.raw('Welcome\n{"jsonrpc":"2.0","id":99,"result":{}}\n\n[1]\n');
      reply.notify("logEnd", {});
      reply.result({});
      reply.notify("logEnd", { second: true });
    });
    const client = await connect(address(), (notification) => seen.push(notification));
    await client.call("logs", {});
    expect(seen[0]).toEqual({ method: "logEnd", params: {} });
    await client.call("info", {});
    expect(seen).toHaveLength(2);
    client.close();
  });

  test("distinguishes crank's error, a closed connection and a failed connection", async () => {
    desk.serve("web", ({ method }, reply) => {
      if (method === "info") reply.error({ code: 1, message: "no" });
      else reply.close();
    });
    const client = await connect(address(), () => {});
    const refused = await client.call("info", {}).catch((error) => error);
    expect(refused).toBeInstanceOf(CallError);
    expect([refused.message, refused.code]).toEqual(["no", 1]);
    expect(await client.call("ps", {}).catch((error) => error)).toBeInstanceOf(ConnectionLostError);
    await client.ended;
    expect(await client.call("ps", {}).catch((error) => error)).toBeInstanceOf(ConnectionLostError);
    const none = await connect(address("none"), () => {}).catch((error) => error);
    expect(none).toBeInstanceOf(ConnectError);
    expect(none.code).toBe("ENOENT");
  });
});

describe("a deploy", () => {
  test("keeps its caller's id", async () => {
    desk.serve("web", (_, reply) => reply.result({ generation: 1, accepted: true, pids: [] }));
    await callDeploy(() => connect(address(), () => {}), "reload", { clientId: "mine" });
    expect(desk.asked[0]?.params.clientId).toBe("mine");
  });

  test("is abandoned when crank does not return, or accepts connections without an answer", async () => {
    let connections = 0;
    desk.serve("web", (_, reply) => reply.close());
    const once = () => connect(connections++ === 0 ? address() : address("none"), () => {});
    const gone = await callDeploy(once, "reload", {}, IMPATIENT).catch((error) => error);
    expect(gone).toBeInstanceOf(ConnectionLostError);
    expect(gone.message).toContain("crank does not run any more");
    const mute = await callDeploy(() => connect(address(), () => {}), "reload", {}, IMPATIENT).catch((error) => error);
    expect(mute).toBeInstanceOf(ConnectionLostError);
    expect(desk.asked.length).toBeLessThan(30);
  });
});
