// Servers that do not know crank, with crank/register, replaced by a real crank while clients stay connected.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { Talk } from "../e2e/harness/talk.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { needing } from "../needs.ts";
import { Clients } from "../recipes/clients.ts";
import { DONE, httpServer, NODE, Registered } from "./registered.ts";
import { RUNTIMES } from "./runtimes.ts";

const APP = join(ROOT, "test/apps/library/unchanged.mjs");
const PEM = join(ROOT, "test/apps/library/localhost.pem");
/** Longer than any test, so that its end causes nothing. */
const FOR_EVER_MS = 3_600_000;

const web = eachTest(new Registered());
const webSockets: WebSocket[] = [];
afterEach(() => {
  for (const socket of webSockets.splice(0)) socket.terminate();
});

const deploy = async (kind: string, version: number, ...settings: readonly string[]): Promise<void> => {
  const env = [`VERSION=${version}`, `PEM=${PEM}`, ...settings].flatMap((setting) => ["-env", setting]);
  writeFileSync(web.path("unchanged.mjs"), `await import(${JSON.stringify(APP)});`);
  expect(await web.command([...web.preload, "unchanged.mjs", kind], ["-start", "20", ...env])).toMatchObject(DONE);
};

/** The old worker ended by itself. */
const hasEnded = async (): Promise<void> => {
  await web.logged(/Worker 1 .* exited with status 0/);
  expect(web.log).not.toContain("SIGKILL");
};

describe.each(["http", "https", "http2 over TLS"])("a server of node:%s", (kind) => {
  test("finishes its requests, asks its clients to disconnect, and keeps the backlog", async () => {
    await web.start();
    await deploy(kind, 1, `CRANK_DRAIN_GRACE_MS=${FOR_EVER_MS}`);
    const transport = kind === "http" ? "plain" : "TLS";
    const go = web.path("go-on");
    const resting = await Talk.open(web.port, transport);
    const busy = await Talk.open(web.port, transport);
    resting.request("/");
    await resting.hears("1\n");
    busy.request(`/until${go}`);
    await busy.hears("first part");
    await deploy(kind, 2);
    await web.logged("Stopping worker 1");
    await waitFor("the drain", async () =>
      (await web.json<{ status?: string }[]>("ps"))[0]?.status?.includes("draining"),
    );
    resting.request("/again");
    expect(await resting.isEnded()).toBe("closed");
    expect(resting.heard).toMatch(/connection: close\r\n/i);
    writeFileSync(go, "");
    busy.request("/last");
    expect(await busy.isEnded()).toBe("closed");
    expect(busy.heard).toContain("first part, ");
    await hasEnded();
    expect((await web.status()).sockets.map(({ limit }) => limit)).toEqual([4096]);
    expect(web.log).not.toContain("connections wait");
  });
});

describe("on Bun", () => {
  beforeEach(() => {
    web.runtime = [process.execPath];
    web.preload = ["--preload", "crank/register"];
  });
  afterEach(() => {
    web.runtime = [NODE];
    web.preload = ["--import", "crank/register"];
  });

  test.each(["http", "https"])(
    "a server of node:%s finishes its requests and asks its clients to disconnect",
    async (kind) => {
      await web.start();
      await deploy(kind, 1, `CRANK_DRAIN_GRACE_MS=${FOR_EVER_MS}`);
      const resting = await Talk.open(web.port, kind === "https" ? "TLS" : "plain");
      resting.request("/");
      await resting.hears("1\n");
      await deploy(kind, 2);
      await web.logged("Stopping worker 1");
      await waitFor("the drain", async () => (await web.ps()).some(({ status }) => status?.includes("draining")));
      resting.request("/again");
      expect(await resting.isEnded()).toBe("closed");
      expect(resting.heard).toMatch(/connection: close\r\n/i);
      await hasEnded();
    },
  );

  test("a server of node:net has drained when its clients have disconnected", async () => {
    await web.start();
    await deploy("net", 1);
    const talk = await web.talk();
    await talk.hears("hello\n");
    await deploy("net", 2);
    talk.hangUp();
    await hasEnded();
  });

  test("the application's close() works with the drain, and its server reports crank's address", async () => {
    await web.start();
    const text = `import http from "node:http";
const server = http.createServer((request, response) => response.end("1\\n"));
server.listen(3000, () => console.log("listening", server.listening, server.address().port));
process.on("SIGTERM", () => server.close((error) => { console.log("closed:", error); process.exit(0); }));`;
    expect(await web.source(text)).toMatchObject(DONE);
    await web.logged(`listening true ${web.port}`);
    expect(await web.source(text)).toMatchObject(DONE);
    await web.logged("closed: undefined");
    await hasEnded();
  });

  test("Bun.serve() fails with the reason that it cannot use the sockets", async () => {
    await web.start();
    const failed = await web.source(`Bun.serve({ port: 0, fetch: () => new Response("1") });`, {
      flags: ["-start", "3"],
    });
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("Bun.serve() cannot listen on crank's sockets");
  });
});

const deno = RUNTIMES.get("Deno");

needing({ name: "deno", isMet: deno !== undefined }).test(
  "on Deno a server of node:http finishes its requests and asks its clients to disconnect",
  async () => {
    web.runtime = deno ?? [];
    web.preload = ["--preload", join(ROOT, "dist/worker/register/register.js")];
    await web.start();
    for (let times = 1; times <= 2; times++) {
      expect(await web.source(httpServer(), { flags: ["-env", "VERSION=1"] })).toMatchObject(DONE);
      expect(await web.get()).toBe("1\n");
    }
    await hasEnded();
    web.runtime = [NODE];
    web.preload = ["--import", "crank/register"];
  },
);

test("clients are asked over CRANK_DRAIN_SPREAD_MS, and served until then", async () => {
  await web.start();
  await deploy("http", 1, `CRANK_DRAIN_SPREAD_MS=${FOR_EVER_MS}`, "CRANK_DRAIN_GRACE_MS=50");
  const talks = await Promise.all([web.talk(), web.talk(), web.talk()]);
  for (const talk of talks) {
    talk.request("/");
    await talk.hears("1\n");
  }
  await deploy("http", 2);
  const ended = await waitFor("the first to be asked", () => talks.find(({ ending }) => ending !== "open"));
  expect(ended.ending).toBe("closed");
  for (const talk of talks.filter((one) => one !== ended)) {
    talk.heard = "";
    talk.request("/");
    await talk.hears("1\n");
    expect(talk.heard).not.toMatch(/connection: close/i);
    talk.hangUp();
  }
  await hasEnded();
});

test.each(["net", "tls"])("a server of node:%s has drained when its clients have disconnected", async (kind) => {
  await web.start();
  await deploy(kind, 1);
  const talk = await Talk.open(web.port, kind === "tls" ? "TLS" : "plain");
  await talk.hears("hello\n");
  await deploy(kind, 2);
  talk.say("x\n");
  await talk.hears("1 x\n");
  talk.hangUp();
  await hasEnded();
});

test("a server of node:http2 sends its clients a GOAWAY", async () => {
  const { connect } = await import("node:http2");
  await web.start();
  await deploy("http2", 1);
  const session = connect(`http://127.0.0.1:${web.port}`);
  web.hold(() => session.destroy());
  let hasGone = false;
  session.on("goaway", () => {
    hasGone = true;
  });
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  await deploy("http2", 2);
  await waitFor("the GOAWAY", () => hasGone);
  await hasEnded();
});

test.each(["ws", "own WebSockets"])(
  "the WebSockets of a server (%s) are closed with the configured code",
  async (kind) => {
    await web.start();
    await deploy(kind, 1, "CRANK_DRAIN_CLOSE_CODE=1012", "CRANK_DRAIN_REASON=a new version");
    const closes: { readonly code: number; readonly reason: string }[] = [];
    let greetings = 0;
    for (let number = 1; number <= 5; number++) {
      const socket = new WebSocket(`ws://127.0.0.1:${web.port}/`);
      webSockets.push(socket);
      socket.onmessage = () => {
        greetings += 1;
      };
      socket.onclose = ({ code, reason }) => closes.push({ code, reason });
    }
    await waitFor("the greetings", () => greetings === 5);
    await deploy(kind, 2);
    await waitFor("the closes", () => closes.length === 5);
    expect(new Set(closes.map(({ code, reason }) => `${code} ${reason}`))).toEqual(new Set(["1012 a new version"]));
    await hasEnded();
  },
);

test("deploys under load refuse, reset or cut off no connection", async () => {
  await web.start();
  const slow = "(request, response) => setTimeout(() => response.end('hello\\n'), request.url === '/slow' ? 300 : 0)";
  const text = `import http from "node:http";\nhttp.createServer(${slow}).listen(3000);`;
  expect(await web.source(text)).toMatchObject(DONE);
  const clients = new Clients({ port: web.port, path: "/", slowPath: "/slow", anew: 6, kept: 6, slow: 4 });
  await waitFor("answers", () => clients.counts.answered > 50 || clients.problems.length > 0);
  for (let number = 1; number <= 8; number++) expect(await web.source(text)).toMatchObject(DONE);
  await web.settled(1);
  const counts = await clients.stop();
  expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, silent: 0, failed: 0, problems: [] });
  expect(counts.slow).toBeGreaterThan(0);
});

test("without crank nothing changes", async () => {
  const text = httpServer(`
process.on("SIGTERM", () => { console.log("own handler"); process.exit(7); });
server.on("listening", () => console.log("port", server.address().port, process.listenerCount("SIGTERM")));
`).replace("listen(3000)", "listen(0)");
  writeFileSync(web.path("server.mjs"), text);
  const running = web.bench.start(["node", ...web.preload, "server.mjs"]);
  await running.wrote("stdout", /port \d+ 1\n/);
  running.signal("SIGTERM");
  expect(await running.ended).toMatchObject({ status: 7, stderr: "" });
});
