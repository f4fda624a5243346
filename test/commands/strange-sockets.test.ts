// Clients on sockets of another program, of another user, or of a hostile peer.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chownSync } from "node:fs";
import { join, resolve } from "node:path";
import { CallError, connect, NoAnswerError, RequestTooLongError } from "../../src/control/client.ts";
import { LIMITS } from "../../src/keeper/protocol.ts";
import { needing, ROOT_USER } from "../needs.ts";
import { Desk, type Ended, type Script } from "./harness/scripted-crank.ts";

const ROOT = resolve(import.meta.dirname, "../..");
let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

const socket = (): string => join(desk.directory, "web.ctl");
const address = () => ({ kind: "unix", path: socket() }) as const;
/** A crank that answers every request with this text. */
const saying =
  (text: string): Script =>
  (_, reply) =>
    reply.raw(text);

const EVIL = "\u001b]0;pwned\u0007\u009b31m\u202e";
// biome-ignore lint/suspicious/noControlCharactersInRegex: it searches for control characters
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

describe("a socket's answer", () => {
  const worker = {
    id: EVIL,
    pid: EVIL,
    generation: EVIL,
    state: `ready${EVIL}`,
    uptime: 1,
    cwd: EVIL,
    command: [EVIL],
    status: EVIL,
    restarts: EVIL,
  };
  const answers: Record<string, unknown> = {
    ps: [worker],
    info: { version: EVIL, runtime: EVIL, pid: EVIL, keeper: EVIL, startedAt: EVIL },
    history: [{ generation: EVIL, command: [EVIL], at: EVIL, time: EVIL, cwd: EVIL }],
    scale: { from: EVIL, to: EVIL },
    kill: { pids: [] },
    shutdown: { workers: EVIL },
    run: { generation: 1, accepted: true, pids: [], warning: EVIL },
    status: {
      name: EVIL,
      pid: EVIL,
      generation: EVIL,
      instances: EVIL,
      restarts: EVIL,
      phase: EVIL,
      startedAt: EVIL,
      sockets: [{ name: EVIL, address: EVIL, queue: EVIL, limit: EVIL, connections: EVIL, drops: EVIL }],
      workers: [worker],
      rollout: null,
    },
    events: { first: 1, next: 2 },
  };

  test.each([
    "ps",
    "info",
    "history",
    "status",
    "scale 1",
    "kill -ready",
    "shutdown",
    "run -wait -- true",
    "events -once",
    "reload",
  ])("has no control sequences in the output of %s", async (line) => {
    desk.serve("web", ({ method }, reply) => {
      const entry = {
        seq: 1,
        time: EVIL,
        kind: "workerStatus",
        worker: EVIL,
        generation: EVIL,
        pid: EVIL,
        status: EVIL,
      };
      if (method === "events") reply.notify("event", entry);
      const answer = answers[method];
      if (answer === undefined) reply.error({ code: 1, message: EVIL });
      else reply.result(answer);
    });
    const ended = await desk.ctl(...line.split(" "));
    expect(`${ended.stdout}${ended.stderr}`).not.toMatch(CONTROLS);
    expect(`${ended.stdout}${ended.stderr}`).not.toContain("    at ");
  });

  test.each([
    [
      "deep JSON",
      `{"jsonrpc":"2.0","id":1,"result":${"[".repeat(200_000)}${"]".repeat(200_000)}}\n`,
      ["info", "-json"],
    ],
    [
      "deep JSON as a notification",
      `{"jsonrpc":"2.0","method":"event","params":${'{"a":'.repeat(200_000)}1${"}".repeat(200_001)}\n{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}\n`,
      ["events", "-once"],
    ],
    ["null", '{"jsonrpc":"2.0","id":1,"result":null}\n', ["status"]],
    ["a number", '{"jsonrpc":"2.0","id":1,"result":7}\n', ["ps"]],
    [
      "an invalid error",
      '{"jsonrpc":"2.0","id":1,"error":{"message":[],"data":7,"code":"x"}}\n',
      ["run", "--", "true"],
    ],
  ])("of %s ends a command with an error message", async (_, text, args) => {
    desk.serve("web", (asked, reply) => {
      saying(text)(asked, reply, 0);
      if (text.includes("[[[[")) reply.close();
    });
    const ended = await desk.ctl(...args);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toMatch(/^crankctl[a-z ]*: .{1,300}\n$/);
  });

  test("has a time limit for a quick request, and none for a rollout", async () => {
    desk.serve("web", ({ method }, reply) => {
      if (method === "run") setTimeout(() => reply.result({ generation: 1, accepted: true, pids: [] }), 300);
    });
    const hurried = await connect(address(), () => {}, 100);
    expect(await hurried.call("info", {}).catch((error) => error)).toBeInstanceOf(NoAnswerError);
    const patient = await connect(address(), () => {}, 100);
    expect(await patient.call("run", { command: ["x"], wait: true })).toMatchObject({ generation: 1 });
    patient.close();
  });

  test("is rejected when it is an endless line or endless lines", async () => {
    const piece = "x".repeat(LIMITS.connectionOutputBytes / 4);
    const notification = `${JSON.stringify({ jsonrpc: "2.0", method: "event", params: { text: piece } })}\n`;
    for (const text of [piece, notification]) {
      desk.serve("web", (_, reply) => {
        for (let sent = 0; sent < 40; sent++) reply.raw(text);
      });
      const client = await connect(address(), () => {});
      const error = await client.call("info", {}).catch((reason) => reason);
      expect(error).toBeInstanceOf(NoAnswerError);
      expect(error.message).toContain("is this the control socket of a crank?");
      await desk.clean();
      desk = new Desk();
    }
  });

  test("is not awaited for a request that is too long, which is not sent", async () => {
    desk.serve("web", (_, reply) => reply.error({ code: 1, message: "no" }));
    const client = await connect(address(), () => {});
    const long = await client.call("run", { command: ["x".repeat(LIMITS.lineBytes)] }).catch((error) => error);
    expect(long).toBeInstanceOf(RequestTooLongError);
    expect(long.message).toContain("1 MiB");
    expect(await client.call("info", {}).catch((error) => error)).toBeInstanceOf(CallError);
    expect(desk.asked.length).toBe(1);
    client.close();
  });

  needing(ROOT_USER).test("causes a warning when the socket is another user's", async () => {
    desk.serve("web", (_, reply) => reply.result([]));
    expect((await desk.ctl("ps")).stderr).toBe("");
    chownSync(socket(), 65_534, 65_534);
    const ended = await desk.ctl("ps");
    expect(ended.stderr).toMatch(/^WARNING: the control socket .*web\.ctl belongs to user 65534 \(nobody\), .*\n$/);
  });
});

describe("a client of another program's protocol", () => {
  test("reports that the answer is not einhorn's", async () => {
    const server = serveElsewhere(`{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"no"}}\n`);
    const ended = await frontEndAt("einhornsh", "state", server.path);
    server.stop();
    expect(ended.status).toBe(1);
    expect(ended.stderr).toBe(
      "einhornsh: the answer is not in einhorn's protocol; is this the control socket of an einhorn?\n",
    );
  });

  test("gives up when there is no answer", async () => {
    const server = serveElsewhere(null);
    const ended = await frontEndAt("einhornsh", "state", server.path);
    server.stop();
    expect(ended).toMatchObject({ status: 1, stderr: expect.stringContaining("no answer within 15 s") });
  }, 60_000);

  test("escapes the answer to einhyrningsinsctl", async () => {
    const server = serveElsewhere(`${JSON.stringify(`x${EVIL}`)}\n`);
    const ended = await frontEndAt("einhyrningsinsctl", "status", server.path);
    server.stop();
    expect(ended.stdout).not.toMatch(CONTROLS);
    expect(ended.stdout).toContain("x\\x1b");
  });
});

const serveElsewhere = (answer: string | null): { readonly path: string; readonly stop: () => void } => {
  const path = join(desk.directory, "other.sock");
  const server = Bun.listen({
    unix: path,
    socket: {
      data: (peer) => {
        if (answer !== null) peer.write(answer);
      },
    },
  });
  return { path, stop: () => server.stop(true) };
};

const frontEndAt = async (
  program: "einhornsh" | "einhyrningsinsctl",
  command: string,
  path: string,
): Promise<Ended> => {
  const child = Bun.spawn([join(ROOT, "bin", program), "-d", path, "-e", command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { status: await child.exited, stdout, stderr };
};
