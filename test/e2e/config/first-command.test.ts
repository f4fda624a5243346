// A command on crank's own command line, services without sockets, and variables from env files.
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK, portOf } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service({ app: RESPONDER }));

/** A worker without sockets, which is ready at once and runs until it is stopped. */
const SLEEPER = ["sh", "-c", "exec sleep 1000"];

const environmentOf = (pid: number): readonly string[] => readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");

/** Waits until the first deploy is complete: until then, crankctl run is refused. */
const deployed = () =>
  waitFor("the first deploy", async () => {
    const { generation, rollout } = await web.status();
    return generation === 1 && rollout === null;
  });

test("a command on the command line is deployed at the start, with the flags of run", async () => {
  await web.start("-instances", "2", "-stop", "9", "--", ...RESPONDER, "one");
  await web.answers("one");
  await web.settled(2);
  await deployed();
});

test("a command is enough: the name is that of the directory", async () => {
  const directory = web.path("shop");
  mkdirSync(directory);
  const environment = {
    HOME: directory,
    XDG_STATE_HOME: directory,
    XDG_RUNTIME_DIR: directory,
    CRANK_PREFIX: directory,
  };
  const crank = web.bench.start([CRANK, "-bind", "127.0.0.1:0", "--", ...RESPONDER, "one"], {
    cwd: directory,
    env: environment,
  });
  await web.bench.listens(crank);
  expect(portOf(crank)).toBeGreaterThan(0);
  await waitFor("the service shop", () => readFileSync(`${directory}/shop.conf`, "utf8").includes("responder"));
  crank.signal("SIGTERM");
  expect((await crank.ended).status).toBe(0);
});

test("what crankctl run deploys later lasts until crank starts again", async () => {
  const first = ["--", ...RESPONDER, "one"];
  await web.start(...first);
  await deployed();
  await web.app("two");
  await web.answers("two");
  web.crank.signal("SIGTERM");
  await web.crank.ended;
  await web.start(...first);
  await web.answers("one");
});

test("a service without sockets is deployed, rolled over and drained like any other", async () => {
  const jobs = web.bench.start([CRANK, ...web.own]);
  await jobs.wrote("stderr", "Serving without sockets");
  await web.deploy("-ready", "delay:0.1", "-instances", "2", "--", ...SLEEPER);
  const before = (await web.settled(2)).map(({ pid }) => pid);
  await web.deploy("-stop", "20");
  const after = (await web.settled(2)).map(({ pid }) => pid);
  expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  expect((await web.run("-ready", "tcp")).stderr).toContain("There is no socket to probe: give -probe-addr");
  jobs.signal("SIGTERM");
  expect((await jobs.ended).status).toBe(0);
});

test("a service without sockets needs no socket to be ready", async () => {
  const jobs = web.bench.start([CRANK, ...web.own, "-ready", "delay:0", "--", ...SLEEPER]);
  await jobs.wrote("stderr", "Serving without sockets");
  await web.settled(1);
});

test("variables come from env files, and -env and -unset-env override them", async () => {
  await web.start();
  writeFileSync(web.path("one.env"), "export A='1 2'\r\nB=file\r\nC=3\r\n# D=4\r\n");
  writeFileSync(web.path("two.env"), 'C="three"\n');
  const files = ["-env-file", web.path("one.env"), "-env-file", web.path("two.env")];
  await web.deploy(...files, "-env", "B=flag", "-unset-env", "HOME", "--", ...RESPONDER, "one");
  const [worker] = await web.settled(1);
  const environment = environmentOf(worker?.pid ?? 0);
  expect(environment.filter((entry) => /^[ABCD]=/.test(entry)).sort()).toEqual(["A=1 2", "B=flag", "C=three"]);
  expect(readFileSync(`/proc/${worker?.pid}/cmdline`, "utf8")).not.toContain("three");
});

test("a wrong or missing env file is an error with its line, and nothing is deployed", async () => {
  await web.start();
  writeFileSync(web.path("bad.env"), "A=1\nSECRET value\n");
  const args = ["--", ...RESPONDER, "one"];
  expect(await web.run("-env-file", web.path("bad.env"), ...args)).toEqual({
    status: 2,
    stdout: "",
    stderr: `crankctl run: ${web.path("bad.env")}:2: not NAME=VALUE; for an empty value write NAME=\n`,
  });
  expect((await web.run("-env-file", web.path("none.env"), ...args)).stderr).toBe(
    `crankctl run: ${web.path("none.env")}: no such file\n`,
  );
  expect(await web.ps()).toEqual([]);
});
