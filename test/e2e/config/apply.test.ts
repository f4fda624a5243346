// crankctl apply, diff and config with real cranks: what changes, in which order, and what is left alone.
import { beforeEach, expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Status } from "../../../src/control/messages.ts";
import { RESPONDER } from "../harness/apps.ts";
import { Bench, CRANKCTL, type Ended, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { waitFor } from "../harness/wait.ts";

/** Cranks of one directory, and a configuration file for them. */
class Fleet {
  #bench: Bench | null = null;

  open(): void {
    this.#bench = new Bench();
  }

  async clean(): Promise<void> {
    await this.bench.clean();
    this.#bench = null;
  }

  get bench(): Bench {
    if (this.#bench === null) throw new Error("the fleet has not been opened");
    return this.#bench;
  }

  /** Starts a crank for each name. */
  async start(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.bench.crank(name, ["-bind", "127.0.0.1:0"])));
  }

  write(text: string, name = "crank.toml"): void {
    writeFileSync(join(this.bench.directory, name), text);
  }

  begin(...args: readonly string[]): Running {
    return this.bench.start([CRANKCTL, "-prefix", this.bench.directory, ...args]);
  }

  ctl(...args: readonly string[]): Promise<Ended> {
    return this.begin(...args).ended;
  }

  async status(name: string): Promise<Status> {
    return JSON.parse((await this.bench.ctl(name, "status", "-json")).stdout);
  }
}

const fleet = eachTest(new Fleet());

const service = (name: string, words: string | readonly string[], ...lines: readonly string[]): string =>
  `[service.${name}]\ncommand = ${JSON.stringify([...RESPONDER, ...[words].flat()])}\n${lines.map((line) => `${line}\n`).join("")}\n`;

/** A command that never becomes ready. */
const FAILING = '[service.bad]\ncommand = ["sh", "-c", "exit 3"]\n\n';

beforeEach(() => fleet.write(service("api", "one", "instances = 2") + service("jobs", "two")));

test("apply deploys every service, and after that only what changed", async () => {
  await fleet.start("api", "jobs");
  expect(await fleet.ctl("apply", "-wait")).toEqual({
    status: 0,
    stdout: "api: generation 1 serves\njobs: generation 1 serves\n",
    stderr: "",
  });
  expect((await fleet.ctl("apply", "-wait")).stdout).toBe(
    "api: unchanged (generation 1)\njobs: unchanged (generation 1)\n",
  );
  fleet.write(service("api", "one", "instances = 2") + service("jobs", "two", 'stop = "1m"'));
  expect((await fleet.ctl("apply", "-wait")).stdout).toBe("api: unchanged (generation 1)\njobs: generation 2 serves\n");
});

test("a key that is removed from the file has its default again, even after a run by hand", async () => {
  await fleet.start("api", "jobs");
  await fleet.ctl("apply", "-wait");
  await fleet.bench.ctl("api", "run", "-wait", "-retries", "3", "-env", "A=1");
  fleet.write(service("api", "one"));
  expect((await fleet.ctl("diff")).stdout).toBe(
    "api: generation 2\n  instances  2 -> 1\n  retries    3 -> 0\n  env.A      (set) -> (none)\n",
  );
  expect((await fleet.ctl("apply", "-wait")).stdout).toStartWith("api: generation 3 serves\n");
  expect((await fleet.ctl("diff")).stdout).toBe("api: generation 3, unchanged\n");
});

test("a directory that is a link and leads elsewhere is a change", async () => {
  await fleet.start("api");
  const current = join(fleet.bench.directory, "current");
  for (const release of ["1", "2"]) mkdirSync(join(fleet.bench.directory, release));
  symlinkSync("1", current);
  fleet.write(service("api", "one", 'cwd = "current"'));
  await fleet.ctl("apply", "-wait");
  rmSync(current);
  symlinkSync("2", current);
  expect((await fleet.ctl("diff")).stdout).toBe(
    `api: generation 1\n  (directory)  ${fleet.bench.directory}/1 -> ${fleet.bench.directory}/2\n`,
  );
  expect((await fleet.ctl("apply", "-wait")).stdout).toBe("api: generation 2 serves\n");
});

test("with -json, each service is a document", async () => {
  await fleet.start("api", "jobs");
  const { stdout } = await fleet.ctl("apply", "-wait", "-json");
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { service: "api", kind: "deployed", generation: 1 },
    { service: "jobs", kind: "deployed", generation: 1 },
  ]);
});

test("prefix and ctl in the file say where the crank of a service is", async () => {
  await fleet.start("api", "jobs");
  fleet.write(service("api", "one", 'prefix = "."') + service("other", "two", 'ctl = "jobs.ctl"'));
  const command = [CRANKCTL, "-prefix", join(fleet.bench.directory, "none"), "apply", "-wait"];
  expect((await fleet.bench.run(command)).stdout).toBe("api: generation 1 serves\nother: generation 1 serves\n");
});

test("a scaled service differs from the file", async () => {
  await fleet.start("api", "jobs");
  await fleet.ctl("apply", "-wait");
  await fleet.bench.ctl("api", "scale", "3");
  expect((await fleet.ctl("diff", "api")).stdout).toBe("api: generation 1\n  instances  3 -> 2\n");
});

test("apply stops at the first failure, and what was deployed before serves", async () => {
  await fleet.start("api", "bad", "jobs");
  fleet.write(service("api", "one") + FAILING + service("jobs", "two"));
  const { status, stdout, stderr } = await fleet.ctl("apply", "-wait");
  expect(status).toBe(1);
  expect(stdout).toBe("api: generation 1 serves\n");
  expect(stderr).toContain("Not looked at: jobs\n");
  expect(await fleet.status("api")).toMatchObject({ generation: 1 });
  expect(await fleet.status("jobs")).toMatchObject({ generation: null });
  fleet.write(service("api", "one") + service("bad", "now good") + service("jobs", "two"));
  expect((await fleet.ctl("apply", "-wait")).stdout).toMatch(
    /^api: unchanged \(generation 1\)\nbad: generation \d+ serves\njobs: generation 1 serves\n$/,
  );
});

test("a service is deployed after those in its after key, and waits for them", async () => {
  await fleet.start("api", "jobs");
  fleet.write(service("api", "one", 'after = ["jobs"]') + service("jobs", "two"));
  expect((await fleet.ctl("apply")).stdout).toBe("jobs: generation 1 serves\napi: generation 1 is being rolled out\n");
});

test("only the named services are applied", async () => {
  await fleet.start("jobs");
  expect((await fleet.ctl("apply", "-wait", "jobs")).stdout).toBe("jobs: generation 1 serves\n");
  expect(await fleet.ctl("apply", "job")).toMatchObject({
    status: 2,
    stderr: 'crankctl: crank.toml has no service "job"; did you mean jobs?\n',
  });
});

test("a service without a crank is an error that says how to start it", async () => {
  fleet.write(service("api", "one", 'bind = ":8080"', "respawn = true"));
  const { status, stderr } = await fleet.ctl("apply");
  expect(status).toBe(3);
  expect(stderr).toMatch(
    /^crankctl: api: no crank runs for it \(.*\)\. Start it: .*crank -prefix \S+ -name api -bind :8080 -respawn\n$/,
  );
});

test("a service that was removed from the file continues until -prune shuts it down", async () => {
  await fleet.start("api", "jobs");
  await fleet.ctl("apply", "-wait");
  fleet.write(service("api", "one", "instances = 2"));
  expect((await fleet.ctl("apply", "-wait")).stdout).toBe(
    "api: unchanged (generation 1)\njobs: not in crank.toml any more, kept; -prune shuts it down\n",
  );
  expect(await fleet.status("jobs")).toMatchObject({ phase: "running" });
  expect((await fleet.ctl("apply", "-wait", "-prune")).stdout).toBe("api: unchanged (generation 1)\njobs: shut down\n");
  expect((await fleet.ctl("apply", "-wait", "-prune")).stdout).toBe("api: unchanged (generation 1)\n");
});

test("-prune leaves services alone that were never applied from the file", async () => {
  await fleet.start("api", "jobs", "other");
  await fleet.bench.ctl("other", "run", "-wait", "--", ...RESPONDER, "other");
  await fleet.ctl("apply", "-wait", "-prune");
  expect(await fleet.status("other")).toMatchObject({ phase: "running", generation: 1 });
});

test("two applies at once deploy once", async () => {
  await fleet.start("api", "jobs");
  const both = await Promise.all([fleet.ctl("apply", "-wait"), fleet.ctl("apply", "-wait")]);
  expect(both.map(({ status }) => status)).toEqual([0, 0]);
  expect(await fleet.status("api")).toMatchObject({ generation: 1, rollout: null });
});

test("an apply that was killed half way is completed by the next one", async () => {
  await fleet.start("api", "jobs");
  fleet.write(service("api", "one", "min-ready = 1") + service("jobs", "two"));
  const first = fleet.begin("apply", "-wait");
  await waitFor("a rollout", async () => (await fleet.status("api")).rollout !== null);
  first.signal("SIGKILL");
  await first.ended;
  expect((await fleet.ctl("apply", "-wait")).stdout).toBe("api: unchanged (generation 1)\njobs: generation 1 serves\n");
});

test("a rollout in progress that is not the file's is an error, and is not disturbed", async () => {
  await fleet.start("api", "jobs");
  const other = fleet.bench.start([
    ...[CRANKCTL, "-prefix", fleet.bench.directory, "-name", "api", "run", "-wait", "-min-ready", "600"],
    ...["--", ...RESPONDER, "other"],
  ]);
  await waitFor("a rollout", async () => (await fleet.status("api")).rollout !== null);
  const { status, stderr } = await fleet.ctl("apply", "-wait");
  expect(status).toBe(1);
  expect(stderr).toStartWith("crankctl: api: generation 1, which is not what the file has, is being rolled out.");
  expect(await fleet.status("api")).toMatchObject({ rollout: { generation: 1 } });
  other.signal("SIGKILL");
});

test("config shows where each value comes from, and no variable's value", async () => {
  await fleet.start("api");
  fleet.write(service("api", "one", 'env = { KEY = "secret" }', "instances = 2"));
  await fleet.ctl("apply", "-wait");
  await fleet.bench.ctl("api", "run", "-wait", "-stop", "90");
  const { stdout } = await fleet.ctl("config", "api");
  const lines = stdout.replace(/ {2,}/g, "  ").split("\n");
  expect(lines[0]).toBe("[service.api]  # generation 2");
  expect(lines).toContain('start = "30s"  # default');
  expect(lines).toContain("instances = 2  # file");
  expect(lines).toContain('stop = "90s"  # running; apply: "30s"');
  expect(lines).toContain("env.KEY = (set)  # file");
  expect(stdout).not.toContain("secret");
});

test("a changed variable of an env file is a change, and its value is not shown", async () => {
  await fleet.start("api");
  fleet.write("export KEY='secret one'\r\n", ".env");
  fleet.write(service("api", "one", 'env-file = ".env"'));
  await fleet.ctl("apply", "-wait");
  fleet.write("KEY=two\nMORE=3\n", ".env");
  expect((await fleet.ctl("diff")).stdout).toBe(
    "api: generation 1\n  env.KEY   (set) -> (another value)\n  env.MORE  (none) -> (set)\n",
  );
  fleet.write("KEY\n", ".env");
  expect(await fleet.ctl("apply")).toMatchObject({
    status: 2,
    stderr: `crankctl: api: ${fleet.bench.directory}/.env:1: not NAME=VALUE; for an empty value write NAME=\n`,
  });
});

test.each([
  ["", "crank.toml:1:1: no services: each one is a table [service.NAME] with a command"],
  ["[service.a]\ncommand = [\n", "crank.toml:3:1: "],
  ['[service.a]\ncomand = ["x"]\n', 'crank.toml:2:1: unknown key "comand"; did you mean command?'],
])("a wrong file is an error with its position, and nothing is deployed: %j", async (text, message) => {
  fleet.write(text);
  const { status, stderr } = await fleet.ctl("apply");
  expect(status).toBe(2);
  expect(stderr).toStartWith(`crankctl: ${message}`);
});

test("a file that is missing or too large is an error that names it", async () => {
  expect((await fleet.ctl("apply", "-f", "none.toml")).stderr).toBe(
    "crankctl: none.toml: no such file; -f names another one\n",
  );
  fleet.write(`#${"x".repeat(1024 * 1024)}`);
  expect((await fleet.ctl("apply")).stderr).toBe("crankctl: crank.toml: the file has more than 1 MiB\n");
});
