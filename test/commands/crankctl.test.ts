// crankctl against a scripted crank: its exit status, and its authentication.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { COMMANDS, planFor } from "../../src/commands/crankctl/main.ts";
import { VERSION } from "../../src/version.ts";
import { Desk } from "./harness/scripted-crank.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

describe("the exit status", () => {
  test("is 3 when there is no crank, with the original's sentence", async () => {
    const ended = await desk.ctl("ps");
    expect(ended.status).toBe(3);
    expect(ended.stderr).toStartWith("ERROR: couldn't connect: ");
    expect(ended.stderr).toContain(`${desk.directory}/web.ctl`);
  });

  test("is 1 when crank disconnects before it answers", async () => {
    desk.serve("web", (_, reply) => reply.close());
    expect(await desk.ctl("ps")).toMatchObject({
      status: 1,
      stderr: "ERROR: command failed: crank closed the connection\n",
    });
  });

  test("is 2 with one sentence for any wrong usage", async () => {
    const wrong: [string[], string][] = [
      [["ps", "-naem", "x"], "crankctl ps: no such flag -naem; did you mean -name?"],
      [["pz"], 'crankctl: "pz": no such command. Did you mean ps (list the workers)?'],
      [["ps", "x"], 'crankctl ps: unexpected argument "x"'],
      [["run", "-start"], "crankctl run: -start needs a value: -start SEC"],
      [["run", "-retries", "-1"], "crankctl run: -retries must not be negative, but is -1"],
      [
        ["run", "-stop-steps", "TERM,KILL"],
        'crankctl run: -stop-steps: "KILL" is not a step; write SIGNAL@SECONDS, as in SIGTERM@3',
      ],
      [["run", "-env", "A"], 'crankctl run: -env: "A" is not NAME=VALUE'],
      [["run", "-umask", "9"], 'crankctl run: -umask must be octal, from 0 to 777, not "9"'],
      [
        ["run", "-limit", "nofile"],
        'crankctl run: -limit: "nofile" is not NAME=N, as in nofile=65536 or core=unlimited',
      ],
      [
        ["run", "-max-age", ".5"],
        "crankctl run: -max-age must be at least 1 second: workers would be replaced continuously",
      ],
      [["run", "-memory-interval", "0"], "crankctl run: -memory-interval must be at least 1, but is 0"],
      [["run", "-probe-timeout", "3601"], "crankctl run: -probe-timeout must be at most 3600, but is 3601"],
      [["run", "-env", "A=1", "-unset-env", "A"], "crankctl run: A is both set with -env and unset with -unset-env"],
      [["scale"], "crankctl scale: number of workers missing: use scale N to set it, or scale -by N to add"],
      [["scale", "-1"], "crankctl scale: -1: negative value not allowed"],
      [["scale", "1001"], 'crankctl scale: N must be a whole number from 0 to 1000, not "1001"'],
      [
        ["ps", "-ctl", "tcp://:1"],
        "crankctl: -ctl tcp://:1: a tcp control socket requires a secret; set CRANK_CTL_TOKEN to that of crank",
      ],
      [["ps", "-ctl", "fd://3"], "crankctl: -ctl fd://3: a control socket must be a unix or tcp stream"],
    ];
    for (const [args, sentence] of wrong) {
      const ended = await desk.run("crankctl", args, { CRANK_NAME: "web" });
      expect([ended.status, ended.stdout, ended.stderr.split("\n")[0] ?? ""]).toEqual([2, "", sentence]);
    }
    const alone = await desk.run("crankctl", []);
    expect([alone.status, alone.stdout, alone.stderr.split("\n")[0]]).toEqual([
      2,
      "",
      "usage: crankctl [flags] COMMAND [flags]",
    ]);
    expect((await desk.run("crankctl", ["ps"], { CRANK_NAME: "" })).stderr).toContain("no service given");
  });

  test("is 0 for the commands help and version, which print the same as the flags", async () => {
    const said = async (...args: string[]) => {
      const ended = await desk.run("crankctl", args);
      expect(ended).toMatchObject({ status: 0, stderr: "" });
      return ended.stdout;
    };
    expect(await said("help")).toBe(await said("-help"));
    expect(await said("help", "run")).toBe(await said("run", "-help"));
    expect(await said("version")).toBe(`crankctl ${VERSION}\n`);
    for (const program of ["crankctl", "crankx"] as const)
      expect((await desk.run(program, ["--version"])).stdout).toBe(`${program} ${VERSION}\n`);
    expect(await desk.run("crankctl", ["help", "nosuch"])).toMatchObject({ status: 2, stdout: "" });
  });

  test("is 2 for other programs' command names, with crankctl's name", async () => {
    for (const [other, meant] of [
      ["restart", "reload"],
      ["stop", "shutdown"],
      ["start", "run"],
    ] as const) {
      const ended = await desk.ctl(other);
      expect([ended.status, ended.stderr]).toEqual([
        2,
        expect.stringContaining(`crankctl: "${other}": no such command. Did you mean ${meant} (`),
      ]);
    }
  });

  test("is not 2 for an example of a help text", () => {
    for (const command of COMMANDS) {
      const prepared = command.prepare(["-help"], {});
      const [, examples = ""] = ("help" in prepared ? prepared.help : "").split("\nExamples:\n");
      const lines = examples.split("\n").filter((line) => line !== "");
      expect(lines).not.toEqual([]);
      for (const line of lines) {
        const [, words = ""] = /crankctl ([^)|]*)/.exec(line) ?? [];
        expect(planFor(words.trim().split(" "), { HOME: "/root" })).toHaveProperty("kind");
      }
    }
  });

  test("is 0 for help", async () => {
    expect(await desk.run("crankctl", ["-help"])).toMatchObject({ status: 0, stderr: "" });
    const help = await desk.run("crankctl", ["run", "--help"]);
    expect(help.stdout).toStartWith("usage: crankctl run [flags] [--] [COMMAND ARG...]\n");
  });
});

test("over tcp the token is sent before any request", async () => {
  const port = desk.serveTcp(({ method, params }, reply) => {
    if (method === "authenticate" && params.token !== "secret") return reply.error({ code: 3, message: "wrong token" });
    reply.result(method === "ps" ? [] : {});
  });
  const args = ["-ctl", `127.0.0.1:${port}`, "ps", "-json"];
  expect(await desk.run("crankctl", args, { CRANK_CTL_TOKEN: "secret" })).toMatchObject({ status: 0, stdout: "[]\n" });
  expect(desk.asked.map((asked) => asked.method)).toEqual(["authenticate", "ps"]);
  expect(await desk.run("crankctl", args, { CRANK_CTL_TOKEN: "guess" })).toMatchObject({
    status: 1,
    stderr: "ERROR: command failed: wrong token\n",
  });
});
