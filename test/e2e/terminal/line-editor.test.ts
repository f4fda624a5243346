// The line editor of the shells on a real terminal: what a person sees, what the master gets, and how the terminal is
// restored.
import { beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ROOT, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { type Terminal, Terminals } from "../harness/terminal.ts";
import { waitFor } from "../harness/wait.ts";

/** A master that prints each command with its arguments, answers it with the same words, and never answers `wait`. */
const MASTER = `import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print("listening", flush=True)
while True:
    c, _ = s.accept()
    for line in c.makefile("rb"):
        asked = json.loads(line); words = " ".join([asked["command"], *asked["args"]])
        print("got", words, flush=True)
        if words == "leave": c.shutdown(socket.SHUT_RDWR); break
        if words != "wait": c.sendall(json.dumps("answer to " + words).encode() + b"\\n")
    c.close()`;

const PROGRAM = join(ROOT, "bin/einhyrningsinsctl");

const web = eachTest(new Service());
const terminals = new Terminals(web);
let master: Running;
let socket: string;
beforeEach(async () => {
  socket = web.path("control.sock");
  master = web.bench.start(["python3", "-c", MASTER, socket]);
  await master.wrote("stdout", "listening\n");
});

describe("the shell's line editor", () => {
  const begin = async (terminal: Terminal, before = ""): Promise<void> => {
    await terminal.type(`clear; ${before}${PROGRAM} -d ${socket}; echo "ended with $?"`, "Enter");
    await terminal.see(/^> *$/m);
  };

  const shell = async (columns = 60, rows = 12): Promise<Terminal> => {
    const terminal = await terminals.open({ columns, rows });
    await begin(terminal);
    return terminal;
  };

  /** Types a line and waits for its answer and the next prompt. */
  const ask = async (terminal: Terminal, line: string): Promise<void> => {
    await terminal.type(line, "Enter");
    await terminal.see(new RegExp(`answer to ${line}\\n> *$`, "m"));
  };

  test("has a history, in which C-r finds earlier lines", async () => {
    const terminal = await shell();
    for (const line of ["signal HUP", "status", "inc"]) await ask(terminal, line);
    await terminal.type("new", "Up", "Up");
    await terminal.see(/^answer to inc\n> status$/m);
    await terminal.type("Down", "Down");
    await terminal.see(/^> new$/m);
    await terminal.type("C-r", "sig");
    await terminal.see("(reverse-i-search)`sig': signal HUP");
    await terminal.type("C-g");
    await terminal.see(/^> new$/m);
    await terminal.type("C-r", "si", "Escape");
    await terminal.see(/^answer to inc\n> signal HUP$/m);
    await terminal.type("C-e", " again", "Enter");
    await terminal.see("answer to signal HUP again");
    await master.wrote("stdout", "got signal HUP again\n");
  });

  test("completes commands and their arguments, and lists the candidates at the second Tab", async () => {
    const terminal = await shell();
    await terminal.type("s", "Tab", "Tab");
    await terminal.see(/^shutdown {2}signal {4}status\n> s$/m);
    await terminal.type("ig", "Tab", "us", "Tab");
    await terminal.see(/^> signal USR$/m);
    await terminal.type("2", "Enter");
    await terminal.see("answer to signal USR2");
  });

  test("puts wide characters, pictures and combining marks in their places", async () => {
    const terminal = await shell();
    await terminal.type("日本é👍x", "Left", "Left");
    await waitFor("the cursor", async () => (await terminal.cursorColumn()) === 2 + 5);
    await terminal.type("C-h", "e\u0301", "C-a", "ü");
    await waitFor("the cursor", async () => (await terminal.cursorColumn()) === 3);
    await terminal.see(/^> ü日本e\u0301👍x$/m);
    await terminal.type("C-e", "C-b", "C-b", "C-d", "Enter");
    await terminal.see("answer to ü日本e\u0301x");
    await master.wrote("stdout", "got ü日本e\u0301x\n");
  });

  test("runs nothing that is pasted before Enter, and then each line of it", async () => {
    const terminal = await shell();
    await terminal.paste("inc\ndec one\r\n");
    await terminal.see(/^> inc\^Jdec one$/m);
    await terminal.type("C-u");
    await terminal.see(/^> *$/m);
    await master.wrote("stdout", "got ehlo\n");
    expect(master.stdout()).toBe("listening\ngot ehlo\n");
    await terminal.paste("inc\ndec one\n");
    await terminal.type("Enter");
    await terminal.see(/^answer to inc\nanswer to dec one\n> *$/m);
    await terminal.type("Up", "Up", "Enter");
    await master.wrote("stdout", "got ehlo\ngot inc\ngot dec one\ngot inc\n");
  });

  test("shows a line that is longer than the terminal, even while the size changes", async () => {
    const terminal = await shell(40);
    const words = Array.from({ length: 14 }, (_, index) => `word${index + 10}`).join(" ");
    await terminal.type(words);
    const shownIn = (columns: number): string =>
      (`> ${words}`.match(new RegExp(`.{1,${columns}}`, "g")) ?? []).map((row) => row.trimEnd()).join("\n");
    await terminal.see(shownIn(40));
    await terminal.type("C-a", "x");
    for (const columns of [25, 60, 33]) {
      await terminal.resize(columns, 12);
      const text = `> x${words}`;
      const rows = (text.match(new RegExp(`.{1,${columns}}`, "g")) ?? []).map((row) => row.trimEnd());
      // Nothing else of the earlier screen is left. (tmux may have moved what was above out of sight.)
      await terminal.see(new RegExp(`(?:^|leaves\\n)${rows.join("\\n")}\\n*$`));
    }
    await terminal.type("C-h", "C-e", "!", "Enter");
    await master.wrote("stdout", `got ${words}!\n`);
  });

  test("shows the part around the cursor of a line that is longer than the screen", async () => {
    const terminal = await shell(20, 4);
    await terminal.paste(`begin ${"0123456789".repeat(20)} end`);
    await terminal.see(/ end$/m);
    await terminal.type("C-a");
    await terminal.see(/^> begin 012345678901\n/);
    await terminal.type("C-k");
    await terminal.see(/^> *\n*$/);
  });

  test("stops at C-z with the terminal restored, and continues with the line", async () => {
    const terminal = await shell();
    await terminal.type("sta");
    await terminal.see(/^> sta$/m);
    await terminal.type("C-z");
    await terminal.see("Stopped");
    await terminal.expectRestored();
    await terminal.type("clear; fg", "Enter");
    await terminal.see(/^> sta$/m);
    await terminal.type("tus", "Enter");
    await terminal.see("answer to status");
    await terminal.type("C-d");
    await terminal.see(/^> *\n.*[$#] *$/m);
    await terminal.expectRestored();
  });

  test("restores the terminal whatever ends it", async () => {
    const terminal = await shell();
    const pid = (): Promise<number> => terminal.foreground();
    const ways: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => terminal.type("C-d"), "ended with 0"],
      [() => terminal.type("sta", "C-c"), "ended with 0"],
      [() => terminal.type("quit", "Enter"), "ended with 0"],
      [() => terminal.type("leave", "Enter"), "ended with 255"],
      [async () => process.kill(await pid(), "SIGTERM"), "ended with 143"],
      [async () => process.kill(await pid(), "SIGHUP"), "ended with 129"],
      [async () => process.kill(await pid(), "SIGINT"), "ended with 130"],
      [() => terminal.type("C-\\"), "ended with 131"],
      [async () => process.kill(await pid(), "SIGSEGV"), "ended with 70"],
      [async () => process.kill(await pid(), "SIGABRT"), "ended with 134"],
    ];
    for (const [act, end] of ways) {
      await act();
      await terminal.see(end);
      await terminal.expectRestored();
      await begin(terminal);
    }
  });

  test("ends at C-c while it waits for an answer, and keeps other keys for the next line", async () => {
    const terminal = await shell();
    await terminal.type("wait", "Enter");
    await master.wrote("stdout", "got wait\n");
    await terminal.type("inc", "Enter", "C-c");
    await terminal.see("ended with 0");
    await terminal.expectRestored();
    expect(master.stdout()).not.toContain("inc");
    await begin(terminal);
    await terminal.paste("one");
    await terminal.type("Enter", "two", "Enter", "C-d");
    await terminal.see(/answer to two\n> *\nended with 0/);
  });

  test("reads plain lines on a terminal that can only print", async () => {
    const terminal = await terminals.open({ columns: 60, rows: 12 });
    await begin(terminal, "TERM=dumb ");
    await terminal.type("status", "Enter");
    await terminal.see(/^> status\nanswer to status\n> *$/m);
    await terminal.type("C-c");
    await terminal.see("ended with 0");
    await terminal.expectRestored();
  });
});
