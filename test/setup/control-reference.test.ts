// The generator of the control protocol reference: it finds an outdated page, and the page has every parameter.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { declarationsIn, fieldsOf } from "../../tools/control-reference/declarations.ts";
import { parametersOf } from "../../tools/control-reference/parameters.ts";
import { ROOT, run } from "./command.ts";

const page = readFileSync(join(ROOT, "docs/reference/control-protocol.md"), "utf8");

test("the control protocol reference is what its generator writes", () => {
  const { status, stderr } = run(process.execPath, ["tools/control-reference/main.ts", "--check"], { cwd: ROOT });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});

test("the reference has every parameter of run with its bounds", () => {
  const section = page.slice(page.indexOf("### run\n"), page.indexOf("### reload\n"));
  for (const { path } of parametersOf("run")) expect(section).toContain(`| \`${path}\` |`);
  expect(section).toContain("| `instances` | whole number from 1 to 1000 | `1` |");
});

test("a type's fields are found with their comments, whatever their types contain", () => {
  const module = `/** What. */\nexport type A = {\n  /** One; with "|". */\n  readonly a?: { readonly b: string };\n  readonly c: "x;" | null;\n};\n`;
  const declared = declarationsIn(module).get("A");
  expect(declared?.doc).toBe("What.");
  expect(fieldsOf(declared?.text ?? "")).toEqual([
    { name: "a", optional: true, doc: 'One; with "|".', text: "{ readonly b: string }" },
    { name: "c", optional: false, doc: "", text: '"x;" | null' },
  ]);
});
