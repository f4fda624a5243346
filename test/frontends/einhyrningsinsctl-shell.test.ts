// Completion in the shell of einhyrningsinsctl.
import { expect, test } from "bun:test";
import { EINHYRNINGSINSCTL_SHELL } from "../../src/frontends/einhyrningsinsctl/shell.ts";
import { completerOf } from "../../src/frontends/line-shell.ts";

const complete = completerOf(EINHYRNINGSINSCTL_SHELL);

test("commands are completed from their first letters", () => {
  expect(complete("s")).toEqual([["shutdown", "signal", "status"], "s"]);
  expect(complete("upg")).toEqual([["upgrade"], "upg"]);
  expect(complete("x")).toEqual([[], "x"]);
});

test("signals are completed after signal, in either spelling", () => {
  expect(complete("signal us")).toEqual([["USR1", "USR2"], "us"]);
  expect(complete("signal SIGC")).toEqual([["SIGCONT"], "SIGC"]);
});
