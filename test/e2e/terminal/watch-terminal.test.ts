// What crankctl watch does to a terminal: how it is restored, colours, and what happens without a full screen.
import { beforeEach, describe, expect, test } from "bun:test";
import { CRANKCTL } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { answering } from "../harness/scripted-service.ts";
import { Service } from "../harness/service.ts";
import { RESTORED, type Terminal, Terminals } from "../harness/terminal.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());
const terminals = new Terminals(web);

const SMALL = { columns: 80, rows: 24 };
const sleeper = async (): Promise<void> => {
  const ready = ["-ready", "delay:0"];
  expect(await web.run(...ready, "--", "sleep", "600")).toMatchObject({ status: 0 });
};

describe("the terminal is restored", () => {
  const started = async (): Promise<Terminal> => {
    await web.start();
    await sleeper();
    const terminal = await terminals.open(SMALL);
    await terminal.watch("-name", "web", "watch");
    await terminal.see("1 of 1 ready");
    expect(await terminal.state()).toEqual({ otherScreen: true, cursor: false, wraps: false });
    return terminal;
  };

  test("when a signal ends it", async () => {
    const terminal = await started();
    for (const [signal, status] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
      ["SIGHUP", 129],
      ["SIGQUIT", 131],
    ] as const) {
      process.kill(await terminal.foreground(), signal);
      await terminal.see(`ended with ${status}`);
      await terminal.expectRestored();
      await terminal.watch("-name", "web", "watch");
    }
    await terminal.type("C-c");
    await terminal.see("ended with 0");
    await terminal.expectRestored();
  });

  test("when a fault of its engine ends it, or a signal that it cannot handle", async () => {
    const terminal = await started();
    for (const [signal, status] of [
      ["SIGSEGV", 70],
      ["SIGBUS", 70],
      ["SIGABRT", 134],
      ["SIGUSR1", 138],
    ] as const) {
      process.kill(await terminal.foreground(), signal);
      const screen = await terminal.see(`ended with ${status}`);
      if (status === 70) expect(screen).toContain("crank: the JavaScript engine has failed: ");
      await terminal.expectRestored();
      await terminal.watch("-name", "web", "watch");
    }
    await terminal.type("q");
    await terminal.see("ended with 0");
  });

  test("while it is stopped, and taken again when it continues", async () => {
    const terminal = await started();
    const pid = await terminal.foreground();
    for (const stop of [() => terminal.type("C-z"), async () => process.kill(pid, "SIGTSTP")]) {
      await stop();
      await terminal.see("Stopped");
      await terminal.expectRestored();
      await terminal.type("clear; fg", "Enter");
      await terminal.see("q quit");
      expect(await terminal.state()).toMatchObject({ otherScreen: true });
      await terminal.see("1 of 1 ready");
    }
    await terminal.type("q");
    await waitFor("the shell's screen", async () => !(await terminal.state()).otherScreen);
    await terminal.expectRestored();
  });

  test("when crank's answer makes no sense", async () => {
    answering(web, { workers: 7 });
    const terminal = await terminals.open(SMALL);
    await terminal.type(terminal.line("-name", "web", "watch"), "Enter");
    await terminal.see("ended with 70");
    await terminal.see("unexpected answer");
    await terminal.expectRestored();
  });
});

test("a name or a directory that does not exist is an error, and no empty screen", async () => {
  const nobody = await web.bench.ctl("nobody", "watch");
  expect(nobody).toMatchObject({ status: 3, stdout: "" });
  expect(nobody.stderr).toContain("couldn't connect");
  const nowhere = await web.bench.run([CRANKCTL, "-prefix", "/nowhere", "watch", "web"]);
  expect(nowhere).toEqual({
    status: 1,
    stdout: "",
    stderr: "crankctl watch: /nowhere: no such directory. Give another with -prefix.\n",
  });
});

test("a terminal that goes away ends it", async () => {
  await web.start();
  const terminal = await terminals.open(SMALL);
  await terminal.watch("-name", "web", "watch");
  const pid = await terminal.foreground();
  expect(isAlive(pid)).toBe(true);
  await terminals.close();
  await waitFor("its end", () => !isAlive(pid));
});

describe("colours", () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  const COLOUR = /\u001b\[[0-9;]*m/;
  beforeEach(async () => {
    await web.start();
    await sleeper();
  });

  test("are on by default, and off with NO_COLOR", async () => {
    const terminal = await terminals.open(SMALL);
    await terminal.watch("-name", "web", "watch");
    await terminal.see("1 of 1 ready");
    expect(await terminal.colours()).toMatch(COLOUR);
    const plain = await terminals.open({ columns: 81, rows: 24, env: { NO_COLOR: "1", LANG: "C", LC_ALL: "C" } });
    await plain.watch("-name", "web", "watch");
    await plain.see("1 of 1 ready");
    expect(await plain.colours()).not.toMatch(COLOUR);
    expect(await plain.screen()).toMatch(/^[\n -~]*$/);
  });
});

describe("lines are written", () => {
  beforeEach(async () => {
    await web.start();
    await sleeper();
  });

  test.each(["unknown", "dumb", ""])("on a terminal of the type '%s'", async (type) => {
    const terminal = await terminals.open(SMALL);
    await terminal.type(
      `export TERM=${type}; ${terminal.line("-name", "web", "watch").replace("clear; ", "")}`,
      "Enter",
    );
    await terminal.see(type === "" ? "TERM is not set" : `TERM is "${type}"`);
    await terminal.see("web: generation 1, 1 of 1 ready");
    await web.ctl("scale", "2");
    await terminal.see("web: Scaling from 1 to 2 workers");
    await terminal.see("web: generation 1, 2 of 2 ready");
    expect(await terminal.state()).toEqual(RESTORED);
    await terminal.type("C-c");
    await terminal.type("echo after $?", "Enter");
    await terminal.see("after 130");
  });

  test("into a pipe, until its reader is gone", async () => {
    const script = `${web.ctlCommand("watch").join(" ")} | head -n 1`;
    const reader = web.bench.start(["bash", "-c", script]);
    await reader.wrote("stdout", "web: generation 1, 1 of 1 ready");
    await web.ctl("scale", "2");
    expect(await reader.ended).toMatchObject({ status: 0, stderr: "" });
  });

  test("onto a full disk ends with a sentence", async () => {
    const script = `${web.ctlCommand("watch").join(" ")} >/dev/full`;
    expect(await web.bench.run(["bash", "-c", script])).toMatchObject({
      status: 1,
      stderr: "crankctl watch: cannot write the output: ENOSPC\n",
    });
  });
});

test("text from crank is escaped before it is shown", async () => {
  const status = {
    name: "web",
    pid: 1,
    generation: 1,
    instances: 1,
    phase: "running",
    startedAt: new Date().toISOString(),
    restarts: 0,
    sockets: [{ name: "x", address: "\u001b[2Jtcp\u202e", queue: 0, limit: 1, connections: null, drops: null }],
    rollout: null,
    workers: [],
  };
  answering(web, status);
  const terminal = await terminals.open(SMALL);
  await terminal.watch("-name", "web", "watch");
  await terminal.see("\\x1b[2Jtcp\\u202e");
  await terminal.type("q");
  await terminal.see("ended with 0");
});
