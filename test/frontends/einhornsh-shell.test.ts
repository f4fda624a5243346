// Completion in the shell of einhornsh.
import { expect, test } from "bun:test";
import { EINHORNSH_SHELL } from "../../src/frontends/einhornsh/shell.ts";
import { completerOf } from "../../src/frontends/line-shell.ts";

const complete = completerOf(EINHORNSH_SHELL);

test("einhorn's commands are completed from their first letters", () => {
  expect(complete("worker:")).toEqual([["worker:ack", "worker:ping"], "worker:"]);
  expect(complete("q")).toEqual([["quieter", "quit"], "q"]);
});

test("signals are completed after die, and any number of them after signal", () => {
  expect(complete("die te")).toEqual([["TERM"], "te"]);
  expect(complete("signal HUP SIGU")).toEqual([["SIGUSR1", "SIGUSR2"], "SIGU"]);
  expect(complete("set_workers ")).toEqual([[], "set_workers "]);
});
