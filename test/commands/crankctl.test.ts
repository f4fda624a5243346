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
  test("is 3 when there is no crank, which the message names", async () => {
    const ended = await desk.ctl("ps");
    expect(ended.status).toBe(3);
    expect(ended.stderr).toStartWith("crankctl ps: couldn't connect: ");
    expect(ended.stderr).toContain(`${desk.directory}/web.ctl`);
  });

  test("is 1 when crank disconnects before it answers", async () => {
    desk.serve("web", (_, reply) => reply.close());
    expect(await desk.ctl("ps")).toMatchObject({
      status: 1,
      stderr: "crankctl ps: crank closed the connection\n",
    });
  });

  test("is 2 without a command, with the help text, and without a service where several run or none", async () => {
    const alone = await desk.run("crankctl", []);
    expect([alone.status, alone.stdout, alone.stderr.split("\n")[0]]).toEqual([
      2,
      "",
      "usage: crankctl [flags] COMMAND [flags]",
    ]);
    expect((await desk.run("crankctl", ["ps"], { CRANK_NAME: "" })).stderr).toContain(
      "service: none given. Use -name NAME or -ctl URI.",
    );
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
    stderr: "crankctl ps: wrong token\n",
  });
});
