// Which sockets the library finds, under crank and without it.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ROOT, type Running } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { Service } from "../e2e/harness/service.ts";
import { Talk } from "../e2e/harness/talk.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { needing } from "../needs.ts";
import { RUNTIMES } from "./runtimes.ts";

const PROGRAM = join(ROOT, "test/apps/library/sockets.mjs");

const web = eachTest(new Service());

/** The program's first line, which is JSON, perhaps after crank's prefix. */
const foundBy = async (running: Running): Promise<unknown> => {
  const line = await waitFor("what was found", () => /\{.*\}\n/.exec(running.stdout())?.[0]);
  return JSON.parse(line);
};

describe.each([...RUNTIMES])("on %s", (_, runtime) => {
  test("sockets are found by name and by order, served, and removed from the environment", async () => {
    const crank = await web.startOn(["127.0.0.1:0?name=main", "127.0.0.1:0?name=admin"]);
    const ended = await web.run("--", ...runtime, PROGRAM, "serve");
    expect(ended).toMatchObject({ status: 0 });
    const main = { fd: 3, name: "main" };
    const admin = { fd: 4, name: "admin" };
    expect(await foundBy(crank)).toEqual({
      all: [main, admin],
      second: [admin],
      admin: [admin],
      other: "no socket named other was passed on; there are: main, admin",
      fallback: [admin],
      environment: [],
    });
    await crank.wrote("stderr", /(Listening on .*\n[\s\S]*){2}/);
    const ports = [...crank.stderr().matchAll(/Listening on tcp:\/\/\S*:(\d+)/g)].map((match) => Number(match[1]));
    const [first, second] = await Promise.all(ports.map((port) => Talk.open(port, "plain")));
    second?.request("/");
    await first?.hears("main\n");
    await second?.hears("admin\n");
    second?.hangUp();
  });

  test("einhorn's variables for the sockets are read when there are no others", async () => {
    const crank = await web.start("-bind", "127.0.0.1:0");
    const flags = ["-unset-env", "LISTEN_FDS", "-unset-env", "LISTEN_FDNAMES"];
    await web.ctl("run", ...flags, "--", ...runtime, PROGRAM);
    const all = [3, 4].map((fd) => ({ fd, name: String(fd) }));
    expect(await foundBy(crank)).toMatchObject({ all, second: [all[1]], environment: [] });
  });

  test("without crank there are no sockets, and the program's own port replaces them", async () => {
    const program = web.bench.start([...runtime, PROGRAM, "own port"], { cwd: ROOT });
    const advice = "run the program under crank, or give a port";
    expect(await foundBy(program)).toEqual({
      all: [],
      second: `no socket number 1 was passed on; ${advice}`,
      admin: `no socket named admin was passed on; ${advice}`,
      other: `no socket named other was passed on; ${advice}`,
      fallback: [{ port: 1 }],
      environment: [],
    });
    const port = await waitFor("the port", () => /port (\d+), told false/.exec(program.stdout())?.[1]);
    const talk = await Talk.open(Number(port), "plain");
    talk.request("/");
    await talk.hears("own\n");
    talk.hangUp();
  });

  test("sockets for another process are not used", async () => {
    const env = { LISTEN_FDS: "1", LISTEN_PID: "1" };
    const { stdout } = await web.bench.run([...runtime, PROGRAM], { env, cwd: ROOT });
    expect(JSON.parse(stdout)).toMatchObject({
      all: [],
      admin: expect.stringMatching(/meant for process 1, and this is \d+: start the program directly, or with exec/),
      fallback: [{ port: 1 }],
    });
  });

  test("a descriptor that is not a socket is named in the error", async () => {
    const { stdout } = await web.bench.run([...runtime, PROGRAM], { env: { LISTEN_FDS: "9000" }, cwd: ROOT });
    expect(JSON.parse(stdout).all).toMatch(/^descriptor \d+ .* should be a listening socket and is not open/);
  });
});

const deno = RUNTIMES.get("Deno")?.[0];

for (const permission of ["--allow-ffi", "--allow-run"])
  needing({ name: "deno", isMet: deno !== undefined }).test(
    `on Deno ${permission} is enough to send messages to crank`,
    async () => {
      await web.startOn(["127.0.0.1:0?name=main", "127.0.0.1:0?name=admin"]);
      const permissions = ["--no-prompt", "--no-lock", "--allow-env", "--allow-net", "--allow-read", permission];
      const ended = await web.run("--", deno ?? "", "run", ...permissions, PROGRAM, "serve");
      expect(ended).toMatchObject({ status: 0 });
    },
  );
