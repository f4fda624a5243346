// The message when a worker cannot be started: it names the command, its interpreter, the directory, the user, and what
// keeps serving.
import { beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { needing, ROOT_USER } from "../../needs.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

const web = eachTest(new Service());
beforeEach(() => web.start());

const run = (...words: readonly string[]) => web.run("-stop", "2", ...words);
const script = (name: string, text: string, mode = 0o755): string => {
  const path = web.path(name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};

test("a command that is not in PATH is named with PATH, and with the generation that keeps serving", async () => {
  await run("-ready", "delay:0.1", "--", "sleep", "600");
  const { status, stderr } = await run("--", "uvicorn-that-is-not-there", "app:app");
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/command not found: uvicorn-that-is-not-there \(PATH \/[^)]*\); generation 1 keeps serving/);
});

test("a command with a path is named with the path that was tried", async () => {
  const { stderr } = await run("--", "/nowhere/server");
  expect(stderr).toContain("command not found: /nowhere/server");
  expect(stderr).not.toContain("keeps serving");
});

test("a script is named with the interpreter of its first line", async () => {
  const moved = script("moved", "#!/opt/venv/bin/python3 -u\nprint()\n");
  const { stderr } = await run("--", moved);
  expect(stderr).toContain(`${moved}: its interpreter /opt/venv/bin/python3 -u does not exist`);
});

test("a file that is not executable, and one that is not a program, are named", async () => {
  const text = script("text", "words\n", 0o644);
  expect((await run("--", text)).stderr).toContain(`${text}: not executable: permission denied`);
  const words = script("words", "words\n");
  expect((await run("--", words)).stderr).toContain(`${words}: not a program for this machine`);
});

test("a directory that does not exist, or is not a directory, is named", async () => {
  const nowhere = web.path("nowhere");
  expect((await run("-cwd", nowhere, "--", "true")).stderr).toContain(
    `cannot change to the directory ${nowhere}: no such file or directory`,
  );
  const file = script("file", "");
  expect((await run("-cwd", file, "--", "true")).stderr).toContain(`${file}: not a directory`);
});

needing(ROOT_USER).test("a directory that its user cannot enter is named with the user", async () => {
  const closed = web.path("closed");
  mkdirSync(closed, { mode: 0o700 });
  chmodSync(closed, 0o700);
  expect((await run("-user", "nobody", "-cwd", closed, "--", "true")).stderr).toContain(
    `cannot change to the directory ${closed} as user nobody: permission denied`,
  );
});
