// The manual pages of the programs with GNU-style options: each page has every option with the name of its value and no
// other, and is formatted without a warning.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { EINHORN_COMMANDS } from "../../src/control/dialects/einhorn.ts";
import { COMMANDS } from "../../src/control/dialects/einhyrningsins.ts";
import { EINHORN_OPTIONS } from "../../src/frontends/einhorn/options.ts";
import { EINHORNSH_OPTIONS } from "../../src/frontends/einhornsh/main.ts";
import { EINHYRNINGSINS_OPTIONS } from "../../src/frontends/einhyrningsins/options.ts";
import { EINHYRNINGSINSCTL_OPTIONS } from "../../src/frontends/einhyrningsinsctl/main.ts";
import type { OptionTable } from "../../src/frontends/options.ts";
import { VERSION } from "../../src/version.ts";
import { needing } from "../needs.ts";

const PROGRAMS: Readonly<Record<string, OptionTable>> = {
  einhorn: EINHORN_OPTIONS,
  einhornsh: EINHORNSH_OPTIONS,
  einhyrningsins: EINHYRNINGSINS_OPTIONS,
  einhyrningsinsctl: EINHYRNINGSINSCTL_OPTIONS,
};

const pathOf = (program: string): string => resolve(import.meta.dirname, `../../man/${program}.1`);
const read = (program: string): string => readFileSync(pathOf(program), "utf8").replaceAll("\\-", "-");

describe.each(Object.keys(PROGRAMS))("the manual of %s", (program) => {
  const page = read(program);
  const table = PROGRAMS[program] ?? {};
  const section = (page.split(/^\.SH OPTIONS\n/m)[1] ?? "").split(/^\.SH /m)[0] ?? "";
  const heads = section
    .split(/^\.TP\n/m)
    .slice(1)
    .map((entry) => entry.slice(0, entry.indexOf("\n")));

  test("has every option of the program, in the order of --help, and no other", () => {
    const named = heads.map((head) => /--([a-z0-9-]+)/.exec(head)?.[1] ?? "");
    expect(named).toEqual(Object.keys(table));
  });

  test("has each option's letter and its value's name", () => {
    for (const [index, [name, option]] of Object.entries(table).entries()) {
      const letter = option.short === undefined ? "" : `-${option.short} ", " `;
      const value = option.argument === undefined ? "" : ` " \\fI${option.argument}\\fR"`;
      expect(heads[index]).toEndWith(`${letter}--${name}${value}`);
    }
  });

  test("is for this version", () => {
    expect(page.split("\n")[0]).toStartWith(`.TH ${program.toUpperCase()} 1 `);
    expect(page.split("\n")[0]).toContain(`"crank ${VERSION}"`);
  });

  needing("man-db").test("is formatted without a warning", () => {
    const { stderr } = spawnSync("man", ["-l", "--warnings=w", "-E", "UTF-8", "-Tutf8", pathOf(program)], {
      encoding: "utf8",
      env: { ...process.env, MANPAGER: "cat", MANWIDTH: "80" },
    });
    expect(stderr).toBe("");
  });
});

const CONTROL_COMMANDS: Readonly<Record<string, object>> = { einhyrningsins: COMMANDS, einhorn: EINHORN_COMMANDS };

test.each(Object.keys(CONTROL_COMMANDS))("the manual of %s has every command of its control socket", (program) => {
  const section = (read(program).split(/^\.SH CONTROL SOCKET\n/m)[1] ?? "").split(/^\.SH /m)[0] ?? "";
  const heads = section.split(/^\.TP\n/m).map((entry) => entry.slice(0, entry.indexOf("\n")));
  for (const command of Object.keys(CONTROL_COMMANDS[program] ?? {}))
    expect(heads.join("\n")).toMatch(new RegExp(`\\b${command}\\b`));
});
