// The example server as users run it: under crank, with clients that hold WebSockets.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Clients } from "../../../examples/demo/clients.ts";
import { FrameReader, OPCODES, serverFrame } from "../../../examples/websocket-server/frames.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const SERVER = join(ROOT, "examples/websocket-server/server.ts");

const web = eachTest(new Service());

/** The command that runs the example; for Node 20, which cannot run TypeScript, it is bundled first. */
const serverOn = (runtime: "Bun" | "Node"): readonly string[] => {
  if (runtime === "Bun") return [process.execPath, SERVER];
  const bundle = web.path("server.mjs");
  const built = spawnSync(process.execPath, ["build", "--target=node", "--format=esm", `--outfile=${bundle}`, SERVER]);
  if (built.status !== 0) throw new Error(`the example does not build: ${built.stderr}`);
  return ["node", bundle];
};

const deploy = async (version: number, command: readonly string[]): Promise<void> => {
  const env = ["-env", `VERSION=${version}`, "-env", "DRAIN_MS=200"];
  const ended = await web.run("-instances", "2", ...env, "--", ...command);
  expect(ended).toMatchObject({ status: 0 });
};

const noneIsStopping = async (): Promise<boolean> => (await web.ctl("ps", "-stopping", "-json")).stdout.trim() === "[]";

describe("the example WebSocket server", () => {
  test.each(["Bun", "Node"] as const)("on %s is replaced, and its clients notice only a move", async (runtime) => {
    await web.start();
    const command = serverOn(runtime);
    await deploy(1, command);
    const clients = new Clients({ port: web.port, stays: 40, talkMs: 50, anew: 5, pauseMs: 10 });
    await waitFor("the clients that stay", () => clients.staying === 40);
    await deploy(2, command);
    await waitFor("the old workers to be gone", () => noneIsStopping());
    await waitFor("the clients that stay", () => clients.staying === 40);
    const before = clients.counts.messages;
    await waitFor("messages to be answered again", () => clients.counts.messages > before);
    await clients.stop();
    expect(clients.counts).toMatchObject({ refused: 0, reset: 0, cut: 0 });
    expect(clients.counts.moved).toBeGreaterThanOrEqual(40);
    expect(clients.counts.answered).toBeGreaterThan(0);
  });

  test("reads frames that arrive in any pieces", () => {
    const bytes = Buffer.concat([serverFrame(OPCODES.text, "short"), serverFrame(OPCODES.text, "x".repeat(300))]);
    for (let size = 1; size <= bytes.length; size++) {
      const reader = new FrameReader();
      const frames = [];
      for (let at = 0; at < bytes.length; at += size) frames.push(...reader.push(bytes.subarray(at, at + size)));
      expect(frames.map((frame) => frame.payload.toString())).toEqual(["short", "x".repeat(300)]);
    }
  });
});
