// Text at the limits of input and output: lines of the greatest length, bytes that are not UTF-8, halves of surrogate pairs
// and zero bytes. Each is passed on unchanged or refused with a sentence, and the service goes on.
import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { CRANK, CRANKCTL, type Ended, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const MIB = 1 << 20;
const READY = 'printf READY=1 >&"$NOTIFY_FD"; exec sleep 600';

const web = eachTest(new Service({ flags: ["-verbose"] }));

const run = (shell: string, ...flags: readonly string[]): Promise<Ended> =>
  web.run("-sockets-optional", ...flags, "--", "bash", "-c", shell);

/** Sends a line to the control socket. Returns the answer. */
const asked = async (line: string | Uint8Array): Promise<unknown> => {
  const talk = await web.control();
  talk.say(Buffer.concat([Buffer.from(line), Buffer.from("\n")]));
  const [answer = ""] = await talk.hearsLines(1);
  talk.hangUp();
  return JSON.parse(Buffer.from(answer, "latin1").toString());
};

const call = (method: string, params: object, more: object = {}): string =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method, params, ...more });

/** It is the same process, and it answers and deploys. */
const expectHealth = async (crank: Running): Promise<void> => {
  expect(isAlive(crank.pid)).toBe(true);
  expect(await run(READY)).toEqual({ status: 0, stdout: expect.stringContaining(" deployed in "), stderr: "" });
  expect(crank.stderr()).not.toMatch(/has failed|supervisor (exited|was killed|died)/);
};

describe("a line on the control socket", () => {
  const padded = (bytes: number, filling: string): string => {
    const room = bytes - Buffer.byteLength(call("ps", {}, { pad: "" }));
    const whole = filling.repeat(Math.floor(room / Buffer.byteLength(filling)));
    return call("ps", {}, { pad: whole + "x".repeat(room - Buffer.byteLength(whole)) });
  };

  test.each([
    ["ASCII", "x"],
    ["characters of three bytes", "\u20ac"],
    ["characters of four bytes", "\u{1f600}"],
  ])("of 1 MiB is answered, and a longer one is refused with a sentence: %s", async (_, filling) => {
    const crank = await web.start();
    expect(await asked(padded(MIB, filling))).toEqual({ jsonrpc: "2.0", id: 1, result: [] });
    expect(await asked(padded(MIB + 1, filling))).toMatchObject({
      id: null,
      error: { code: -32600, message: expect.stringContaining("the line is too long") },
    });
    await expectHealth(crank);
  });

  test("with bytes that are not UTF-8, surrogates included, is refused", async () => {
    const crank = await web.start();
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
      const line = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), Buffer.from(bytes)]);
      expect(await asked(Buffer.concat([line, Buffer.from('"}')]))).toMatchObject({
        error: { code: -32700, message: "the line is not valid UTF-8" },
      });
    }
    await expectHealth(crank);
  });

  test("with an id that is half a surrogate pair, or zero, gets the same id back", async () => {
    const crank = await web.start();
    for (const id of ["\ud800", "\udc00x", "\0", "\ufeff", "\u{10ffff}"])
      expect(await asked(call("ps", {}, { id }))).toEqual({ jsonrpc: "2.0", id, result: [] });
    await expectHealth(crank);
  });

  test.each([
    ["an argument", { command: ["true", "a\ud800"] }, "command[1]"],
    ["the command", { command: ["/bin/\udc00"] }, "command[0]"],
    ["a directory", { command: ["true"], cwd: "/tmp/\ud83d" }, "cwd"],
    ["a variable's value", { command: ["true"], env: { A: "\ude00" } }, "env"],
    ["a variable's name", { command: ["true"], env: { "A\ud800": "1" } }, "env"],
  ])("with half a surrogate pair in %s does not run something else", async (_, params, where) => {
    const crank = await web.start();
    expect(await asked(call("run", params))).toMatchObject({
      error: { code: -32602, message: expect.stringContaining(where) },
    });
    expect(crank.stderr()).not.toContain("Rolling out");
    await expectHealth(crank);
  });
});

describe("a worker's text", () => {
  test("in its status is ignored and reported if it is not UTF-8", async () => {
    const crank = await web.start();
    const status = `printf 'STATUS=caf\\351 \\355\\240\\200' >&"$NOTIFY_FD";`;
    expect(await run(`${status} ${READY}`)).toMatchObject({ status: 0 });
    await crank.wrote("stderr", "Worker 1 sent a status that is not UTF-8; ignored");
    expect(await web.ps()).toMatchObject([{ state: "ready" }]);
    await expectHealth(crank);
  });

  test("on its output is passed on unchanged, and shown as UTF-8", async () => {
    const crank = await web.launch(["bash", "-c", `exec ${web.crankCommand().join(" ")} >${web.path("output")}`]);
    const line = "\\377\\355\\240\\200\\300\\200\\000\\342\\202 \\360\\237\\230\\200";
    expect(await run(`printf 'odd ${line} end\\n'; ${READY}`)).toMatchObject({ status: 0 });
    const bytes = (): Promise<Buffer> => Bun.file(web.path("output")).arrayBuffer().then(Buffer.from);
    const written = await waitFor("the line", async () => {
      const all = await bytes();
      return all.includes(" end\n") ? all : null;
    });
    expect(written.toString("latin1")).toContain("odd \xff\xed\xa0\x80\xc0\x80\0\xe2\x82 \xf0\x9f\x98\x80 end");
    const shown = await waitFor("the line", async () => {
      const { stdout } = await web.ctl("logs");
      return stdout.includes(" end\n") ? stdout : null;
    });
    expect(shown).toMatch(/odd \ufffd+.*\u{1f600} end/u);
    await expectHealth(crank);
  });
});

describe("a name", () => {
  const refused = async (words: string): Promise<void> => {
    const { status, stderr } = await web.bench.run(["bash", "-c", `exec ${CRANK} ${words}`]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^.*crank: .* is not UTF-8.*\n$/) });
  };

  test.each([
    ["the run directory", `-prefix "$PWD"/caf$'\\xe9' -name web -bind 127.0.0.1:0`],
    ["a socket's path", `-prefix "$PWD" -name web -bind "$PWD"/caf$'\\xe9'`],
    ["a surrogate's bytes", `-prefix "$PWD"/x$'\\xed\\xa0\\x80' -name web -bind 127.0.0.1:0`],
  ])("that is not UTF-8 is refused with a sentence: %s", (_, words) => refused(words));

  test("in UTF-8 works in any locale", async () => {
    const directory = web.path("\u20ac\u{1f600}\u0130");
    const words = ["-prefix", directory, "-name", "web"];
    const env = { LC_ALL: "tr_TR.UTF-8", LANG: "\u00ff" };
    await web.bench.run(["mkdir", "-m", "700", directory]);
    const crank = await web.launch([CRANK, ...words, "-bind", `${directory}/\u0131.sock`], { env });
    const deployed = await web.bench.run(
      [CRANKCTL, ...words, "run", "-wait", "-sockets-optional", "--", "bash", "-c", READY],
      {
        env,
      },
    );
    expect(deployed).toEqual({ status: 0, stdout: expect.stringContaining(" deployed in "), stderr: "" });
    expect(crank.stderr()).toContain("\u0131.sock");
  });
});
