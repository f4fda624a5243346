// Edge cases of crank/register: how it is loaded, in which process, the arguments of listen(), and an application with its own
// handling of the stop signal.
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { eachTest } from "../e2e/harness/each-test.ts";
import { freePorts } from "../e2e/harness/ports.ts";
import { Talk } from "../e2e/harness/talk.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { DONE, httpServer, NODE, Registered } from "./registered.ts";

const web = eachTest(new Registered());
const IMPORT = ["--import", "crank/register"];
const REQUIRE = ["--require", "crank/register"];

const answered = async (version: string): Promise<void> => {
  expect(await web.get()).toBe(`${version}\n`);
};

/** Opens a connection that stays open, checks that a request is answered, and returns it. */
const kept = async (words: string): Promise<Talk> => {
  const talk = await web.talk();
  talk.request("/");
  await talk.hears(words);
  talk.heard = "";
  return talk;
};

describe("loading", () => {
  const common = `const http = require("http");
http.createServer((request, response) => response.end("1\\n")).listen(process.env.PORT || 3000);`;

  test.each([
    ["--import for a CommonJS program", IMPORT, "server.cjs", common],
    ["--require for a CommonJS program", REQUIRE, "server.cjs", common],
    ["--require for a module", REQUIRE, "server.mjs", httpServer()],
    ["both for a module", [...IMPORT, ...REQUIRE, ...IMPORT], "server.mjs", httpServer()],
  ])("by %s works", async (_, preload, name, text) => {
    await web.start();
    web.preload = preload;
    for (const version of ["1", "1"]) {
      expect(await web.source(text, { name, flags: ["-env", `VERSION=${version}`] })).toMatchObject(DONE);
      await answered("1");
    }
    await web.settled(1);
    expect(web.log).not.toContain("Warning");
    web.preload = IMPORT;
  });

  test("by NODE_OPTIONS, and again by the program, works", async () => {
    await web.start();
    web.preload = [];
    const flags = ["-env", "NODE_OPTIONS=--import crank/register", "-env", "VERSION=1"];
    const text = `await import("crank/register");\n${httpServer()}`;
    expect(await web.source(text, { flags })).toMatchObject(DONE);
    await answered("1");
    web.preload = IMPORT;
  });

  test("together with crank/worker leaves servers of the library's listen() to the application", async () => {
    await web.start();
    const text = `import http from "node:http";
import { drain, listen, onStop, ready } from "crank/worker";
const server = http.createServer((request, response) => response.end("1\\n"));
onStop(async () => console.log("drained", JSON.stringify(await drain(server))));
await listen(server, { port: 3000 });
console.log("listening, not ready");
setTimeout(ready, 100);`;
    expect(await web.source(text)).toMatchObject(DONE);
    await answered("1");
    expect(await web.source(text)).toMatchObject(DONE);
    await web.logged("drained {");
  });
});

describe("crank/register", () => {
  test("takes nothing in a worker thread", async () => {
    await web.start();
    const text = `import { Worker } from "node:worker_threads";
import { writeFileSync } from "node:fs";
const thread = new Worker(\`
  const server = require("http").createServer((request, response) => response.end("thread\\\\n"));
  server.listen(0, "127.0.0.1", () => require("worker_threads").parentPort.postMessage(server.address().port));
\`, { eval: true });
const port = await new Promise((resolve) => thread.once("message", resolve));
console.log("the thread listens on", port);
${httpServer()}`;
    expect(await web.source(text, { flags: ["-env", "VERSION=main"] })).toMatchObject(DONE);
    await answered("main");
    await web.logged(/the thread listens on \d+/);
    expect(web.log).not.toContain(`the thread listens on ${web.port}\n`);
  });

  test("takes nothing in a child process, whose environment names no sockets", async () => {
    await web.start();
    writeFileSync(
      web.path("child.mjs"),
      `import http from "node:http";
const named = Object.keys(process.env).filter((name) => /^(LISTEN_|NOTIFY_|EINHORN_FD)/.test(name));
const server = http.createServer((request, response) => response.end("child\\n"));
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port, named, argv: process.execArgv }));`,
    );
    const text = `import { fork } from "node:child_process";
const child = fork("child.mjs");
const said = await new Promise((resolve) => child.once("message", resolve));
console.log("child:", JSON.stringify(said));
process.on("exit", () => child.kill());
${httpServer()}`;
    expect(await web.source(text, { flags: ["-env", "VERSION=parent"] })).toMatchObject(DONE);
    await answered("parent");
    await web.logged("child: {");
    const said = JSON.parse(/child: (\{.*\})/.exec(web.log)?.[1] ?? "{}");
    expect(said).toMatchObject({ named: [], argv: IMPORT });
    expect(said.port).not.toBe(web.port);
    expect(web.log).not.toContain("were passed to");
  });

  test("serves crank's socket in node:cluster's workers, through their primary process", async () => {
    await web.start();
    const text = `import cluster from "node:cluster";
import http from "node:http";
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else http.createServer((request, response) => setTimeout(() => response.end("cluster\\n"), 200)).listen(3000);`;
    expect(await web.source(text)).toMatchObject(DONE);
    await answered("cluster");
    const asked = web.get();
    expect(await web.source(text)).toMatchObject(DONE);
    expect(await asked).toBe("cluster\n");
    await answered("cluster");
    await web.logged(/Worker 1 .* exited with status 0/);
  });

  test("names the sockets' process behind a wrapper, and changes nothing", async () => {
    const [port = 0] = await freePorts(1);
    await web.start();
    writeFileSync(web.path("server.mjs"), httpServer().replace("3000", String(port)));
    const starting = "require('child_process').spawnSync(process.argv[1], process.argv.slice(2), { stdio: 'inherit' })";
    const wrapper = [NODE, "-e", starting];
    await web.ctl("run", "-cwd", web.directory, "--", ...wrapper, NODE, ...IMPORT, "server.mjs");
    await web.logged(/crank\/register: .* were passed to process \d+ \(\S*node .*run the program itself/);
    const talk = await waitFor("the server at its own port", () => Talk.open(port).catch(() => null));
    talk.hangUp();
  });
});

describe("listen()", () => {
  const reply = "(request, response) => response.end(";

  test.each([
    ["(3000)"],
    ["('3000')"],
    ["()"],
    ["(() => {})"],
    ["(undefined, () => {})"],
    ["(3000, '127.0.0.1', 5, () => {})"],
    ["({ port: 3000, host: '::1', backlog: 5, exclusive: true, ipv6Only: true })"],
    ["({ port: 3000, signal: new AbortController().signal })"],
    ["({ fd: 3 })"],
  ])("%s takes crank's socket and keeps its backlog", async (call) => {
    await web.start();
    const text = `import http from "node:http";
http.createServer(${reply}"1\\n")).listen${call};`;
    expect(await web.source(text)).toMatchObject(DONE);
    await answered("1");
    expect((await web.status()).sockets[0]?.limit).toBe(4096);
    expect(web.log).not.toContain("connections wait");
  });

  test("takes the socket of the same port, and others in order, before READY=1", async () => {
    const [first = 0, second = 0, third = 0] = await freePorts(3);
    await web.startOn([first, second, third].map((port) => `127.0.0.1:${port}`));
    const text = `import http from "node:http";
const serve = (name, port) => new Promise((resolve) => http.createServer(${reply}name)).listen(port, resolve));
await serve("third", ${third});
await serve("other", 3000);
console.log("two of three");
await serve("another", 3001);`;
    expect(await web.source(text)).toMatchObject(DONE);
    const answers = await Promise.all(
      [first, second, third].map(async (port) => (await fetch(`http://127.0.0.1:${port}/`)).text()),
    );
    expect(answers).toEqual(["other", "another", "third"]);
    expect(web.log).toContain("port 3000 of the application is crank's socket");
    expect(web.log).not.toContain(`port ${third} of the application`);
  });

  test("takes crank's unix socket by its path", async () => {
    const path = web.path("web.sock");
    await web.startOn([path]);
    const text = `import http from "node:http";
http.createServer(${reply}"unix\\n")).listen(${JSON.stringify(path)});`;
    expect(await web.source(text)).toMatchObject(DONE);
    const talk = await Talk.open(path);
    talk.request("/");
    await talk.hears("unix\n");
    talk.hangUp();
  });

  test("on other addresses uses the system's listen() when all sockets are taken", async () => {
    const [metrics = 0] = await freePorts(1);
    const path = web.path("admin.sock");
    await web.start();
    const text = httpServer(`
http.createServer(${reply}"metrics\\n")).listen(${metrics}, "127.0.0.1");
http.createServer(${reply}"admin\\n")).listen(${JSON.stringify(path)}, () => console.log("all listen"));`);
    expect(await web.source(text, { flags: ["-env", "VERSION=1"] })).toMatchObject(DONE);
    await answered("1");
    await web.logged("all listen");
    expect(await (await fetch(`http://127.0.0.1:${metrics}/`)).text()).toBe("metrics\n");
    const talk = await Talk.open(path);
    talk.request("/");
    await talk.hears("admin\n");
    talk.hangUp();
  });

  test("on a port that CRANK_LISTEN does not name uses the system's listen(), even if it is called first", async () => {
    const [metrics = 0] = await freePorts(1);
    await web.startOn(["127.0.0.1:0?name=first", "127.0.0.1:0?name=main"]);
    const text = `import http from "node:http";
http.createServer(${reply}"metrics\\n")).listen(${metrics}, "127.0.0.1");
http.createServer(${reply}"main\\n")).listen(3000);
http.createServer(${reply}"first\\n")).listen(3001);`;
    expect(await web.source(text, { flags: ["-env", "CRANK_LISTEN=3000=main,3001"] })).toMatchObject(DONE);
    await answered("first");
    expect(await (await fetch(`http://127.0.0.1:${metrics}/`)).text()).toBe("metrics\n");
  });

  test("that leaves a socket unused never becomes ready, and the socket is named", async () => {
    await web.startOn(["127.0.0.1:0?name=main", "127.0.0.1:0?name=admin"]);
    const failed = await web.source(httpServer(), { flags: ["-start", "7"] });
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(/listens on 1 of 2 sockets, not on admin \(descriptor 4\); READY=1 waits for all/);
  });

  test("twice on one server throws the same error as without crank", async () => {
    await web.start();
    const text = httpServer(`
try { server.listen(3001); } catch (error) { console.log("second:", error.code); }`);
    expect(await web.source(text, { flags: ["-env", "VERSION=1"] })).toMatchObject(DONE);
    await web.logged("second: ERR_SERVER_ALREADY_LISTEN");
    await answered("1");
  });

  test("on an address in use, without an error handler, ends the process and fails the deploy", async () => {
    const busy = createServer().listen(0, "127.0.0.1");
    web.hold(() => busy.close());
    const address = await waitFor("the busy port", () => busy.address());
    const port = typeof address === "object" ? address.port : 0;
    await web.start();
    const failed = await web.source(httpServer(`http.createServer().listen(${port}, "127.0.0.1");`), {
      flags: ["-min-ready", "5"],
    });
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("EADDRINUSE");
  });

  test("whose callback throws never becomes ready", async () => {
    await web.start();
    const failed = await web.source(`import http from "node:http";
http.createServer().listen(3000, () => { throw new Error("the cupboard is locked"); });`);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("the cupboard is locked");
  });
});

describe("an application with its own handler of SIGTERM", () => {
  test.each([
    ["closes the server and exits", `server.close((error) => { console.log("closed:", error); process.exit(0); });`],
    ["exits at once", "process.exit(0);"],
    [
      "closes the server if it listens",
      `if (server.listening) server.close(() => console.log("closed")); else process.exit(0);`,
    ],
    ["does not exit", `server.close(); console.log("bye");`],
  ])("that %s is drained first", async (_, handler) => {
    await web.start();
    const text = httpServer(`process.on("SIGTERM", () => { console.log("own handler"); ${handler} });`);
    const flags = ["-env", "VERSION=1"];
    expect(await web.source(text, { flags })).toMatchObject(DONE);
    const resting = await kept("1\n");
    expect(await web.source(text, { flags })).toMatchObject(DONE);
    await web.logged("Stopping worker 1");
    expect(web.log).not.toContain("own handler");
    resting.request("/");
    expect(await resting.isEnded()).toBe("closed");
    expect(resting.heard).toContain("1\n");
    await web.logged(/Worker 1 .* exited with status 0/);
    expect(web.log.match(/own handler/g)).toHaveLength(1);
    expect(web.log).not.toContain("ERR_SERVER_NOT_RUNNING");
  });

  test("that throws ends as without crank", async () => {
    await web.start();
    const text = httpServer(`process.on("SIGTERM", () => { throw new Error("the cupboard is locked"); });`);
    expect(await web.source(text)).toMatchObject(DONE);
    expect(await web.source(text)).toMatchObject(DONE);
    await web.logged(/Worker 1 .* exited with status 1/);
    expect(web.log).toContain("the cupboard is locked");
  });

  test("is called at once with CRANK_SIGNAL_HANDLERS=at-once, and its close() waits for the drain", async () => {
    await web.start();
    const text = httpServer(`
process.on("SIGTERM", () => {
  console.log("own handler", server.listening);
  server.closeIdleConnections();
  server.close((error) => { console.log("closed:", error); process.exit(0); });
});`);
    const flags = ["-env", "VERSION=1", "-env", "CRANK_SIGNAL_HANDLERS=at-once"];
    expect(await web.source(text, { flags })).toMatchObject(DONE);
    const resting = await kept("1\n");
    expect(await web.source(text, { flags })).toMatchObject(DONE);
    await web.logged("own handler true");
    resting.request("/");
    expect(await resting.isEnded()).toBe("closed");
    expect(resting.heard).toContain("1\n");
    await web.logged("closed: undefined");
    await web.logged(/Worker 1 .* exited with status 0/);
  });

  test("that never exits is ended before it would be killed", async () => {
    await web.start();
    const text = httpServer(`process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`);
    const flags = ["-stop", "2", "-env", "VERSION=1"];
    expect(await web.source(text, { flags })).toMatchObject(DONE);
    expect(await web.source(text, { flags })).toMatchObject(DONE);
    await web.logged(/Worker 1 .* exited with status 0/);
  });

  test("that closes the server for another reason closes it at once", async () => {
    await web.start();
    const text = httpServer(`process.on("SIGHUP", () => server.close((error) => console.log("closed:", error)));
setInterval(() => {}, 1000);`);
    expect(await web.source(text)).toMatchObject(DONE);
    await web.ctl("kill", "-ready", "-signal", "HUP");
    await web.logged("closed: undefined");
  });
});

test.each([
  ["CRANK_DRAIN_SPREAD_MS=soon", "CRANK_DRAIN_SPREAD_MS must be a whole number"],
  ["CRANK_LISTEN=http", 'CRANK_LISTEN: "http" is not PORT or PORT=NAME'],
  ["CRANK_LISTEN=3000=other", "crank passed no socket named other for port 3000"],
  ["CRANK_SIGNAL_HANDLERS=never", "CRANK_SIGNAL_HANDLERS must be at-once or after-drain"],
])("an invalid setting (%s) fails the deploy at once with the reason", async (setting, message) => {
  await web.start();
  const failed = await web.source(httpServer(), { flags: ["-env", setting] });
  expect(failed.status).toBe(1);
  expect(failed.stderr).toContain(message);
});
