// crankctl run with a command that does not pass the sockets on: it is replaced or refused before anything starts.
import { beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

const web = eachTest(new Service());
const SERVER = `require("node:http").createServer((_, response) => response.end(process.env.MODE + "\\n"))
  .listen({ fd: 3 }, () => require("node:fs").writeSync(Number(process.env.NOTIFY_FD), "READY=1"));`;

beforeEach(() => {
  const scripts = { start: "MODE=production node server.cjs", typescript: "tsx server.ts" };
  writeFileSync(web.path("server.cjs"), SERVER);
  writeFileSync(web.path("package.json"), JSON.stringify({ scripts }));
});

test("npm start with a plain script runs the script itself, and crankctl says so", async () => {
  await web.start();
  const { status, stderr } = await web.run("-cwd", web.directory, "--", "npm", "start");
  expect(stderr).toBe(
    "crankctl: npm start: npm closes the sockets on the way to the program. Running its command itself: env MODE=production node server.cjs\n",
  );
  expect(status).toBe(0);
  expect(await web.get()).toBe("production\n");
});

test("package.json is read from the directory where crankctl is called", async () => {
  await web.start();
  const ended = await web.bench.run(web.ctlCommand("run", "-wait", "--", "npm", "start"), { cwd: web.directory });
  expect(ended.status).toBe(0);
});

test("another script is refused at once, with the command to run instead, and nothing starts", async () => {
  await web.start();
  const { status, stderr } = await web.run("-cwd", web.directory, "--", "npm", "run", "typescript");
  expect(stderr).toBe(
    "crankctl: npm run typescript: npm closes the sockets on the way to the program. Run the script's command itself: crankctl run -- node --import tsx server.ts.\n",
  );
  expect(status).toBe(2);
  expect(await web.ps()).toEqual([]);
});

test("the script's text cannot control the terminal", async () => {
  await web.start();
  writeFileSync(web.path("package.json"), JSON.stringify({ scripts: { start: "echo '\u001b]0;title\u0007'" } }));
  const { status, stderr } = await web.run("-cwd", web.directory, "--", "npm", "start");
  expect(status).toBe(2);
  expect(stderr).toContain("Its script is for a shell (echo");
  expect(stderr).not.toContain("\u001b");
});

test("with -sockets-optional the command is not changed", async () => {
  await web.start();
  const flags = ["-sockets-optional", "-ready", "delay:0.1", "-cwd", web.directory];
  expect(await web.run(...flags, "--", "node", "--watch", "server.cjs")).toMatchObject({ status: 0, stderr: "" });
});
