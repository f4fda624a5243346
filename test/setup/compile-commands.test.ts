// The compilation database: every C file of a group with the flags of that group.
import { expect, test } from "bun:test";
import { ROOT, run } from "./command.ts";

test("each C file is listed with its group's compiler and flags, quotes included", () => {
  const words = ["cc", '-DVERSION="1"', "--", "a.c", "b.c", "--", "gcc", "--", "c.c"];
  const { status, stdout } = run(process.execPath, ["tools/compile-commands.ts", ...words], { cwd: ROOT });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    { directory: ROOT, file: "a.c", arguments: ["cc", '-DVERSION="1"', "-c", "a.c"] },
    { directory: ROOT, file: "b.c", arguments: ["cc", '-DVERSION="1"', "-c", "b.c"] },
    { directory: ROOT, file: "c.c", arguments: ["gcc", "-c", "c.c"] },
  ]);
});
