// Bytes that are not UTF-8: refused where they would be changed, and passed on where they are only inherited.
import { describe, expect, test } from "bun:test";
import { CRANK, type Ended } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

const web = eachTest(new Service());

/** Runs a line of bash, whose $'\xe4' are bytes. */
const bash = (line: string): Promise<Ended> => web.bench.run(["bash", "-c", line]);

describe("bytes that are not UTF-8", () => {
  test.each([
    ["an argument of the command", `run -- true caf$'\\xe9'`, 'argument 8 is not UTF-8: "caf?"'],
    ["the command itself", `run -- ./caf$'\\xe9'`, 'argument 7 is not UTF-8: "./caf?"'],
    ["a value of -env", `run -env SECRET=p$'\\xe4'ss -- true`, 'argument 7 is not UTF-8: "SECRET=p?ss"'],
    ["a directory", `run -cwd /tmp/caf$'\\xe9' -- true`, 'argument 7 is not UTF-8: "/tmp/caf?"'],
  ])("in %s are refused, and the argument is named", async (_, words, sentence) => {
    const ended = await bash(`${web.ctlCommand().join(" ")} ${words}`);
    expect([ended.status, ended.stderr]).toEqual([2, expect.stringContaining(sentence)]);
  });

  test("in crank's own arguments keep it from starting", async () => {
    const ended = await bash(`${CRANK} -prefix ${web.directory} -name caf$'\\xe9' -bind 127.0.0.1:0`);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('crank: argument 4 is not UTF-8: "caf?"');
  });

  test("in the directory where crankctl is called are refused with a sentence", async () => {
    const there = `${web.directory}/caf$'\\xe9'`;
    const ended = await bash(`mkdir ${there} && cd ${there} && ${web.ctlCommand().join(" ")} run -- true`);
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain("is not UTF-8");
    expect(ended.stderr).not.toContain("    at ");
  });

  test("in the environment that crank was started with reach workers unchanged", async () => {
    const crank = await web.launch(["bash", "-c", `SECRET=p$'\\xe4'ss exec ${web.crankCommand().join(" ")}`]);
    const shell = 'printf %s "$SECRET" | od -An -tx1; printf READY=1 >&"$NOTIFY_FD"; exec sleep 600';
    expect(await web.run("-sockets-optional", "--", "bash", "-c", shell)).toMatchObject({
      status: 0,
    });
    await crank.wrote("stdout", /70 e4 73 73/);
  });

  test("are not taken for the character that they stand for in another encoding", async () => {
    const ended = await web.ctl("run", "--", "true", "\ufffd");
    expect(ended.stderr).toContain("couldn't connect");
  });
});
