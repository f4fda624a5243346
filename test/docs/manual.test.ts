// The manual pages against the programs: each page has every flag, value name, environment variable and command of the
// tables and no other, and is formatted without a warning.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { CRANK_FLAGS } from "../../src/commands/crank/flags.ts";
import { COMMANDS, TOP_FLAGS } from "../../src/commands/crankctl/main.ts";
import { CRANKX_FLAGS } from "../../src/commands/crankx/main.ts";
import type { Flag, FlagTable } from "../../src/commands/flags.ts";
import { SOCKETMASTER_FLAGS } from "../../src/frontends/socketmaster/flags.ts";
import { VERSION } from "../../src/version.ts";
import { needing } from "../needs.ts";

/** Every table of a program; several may hold the same flag. */
const PROGRAMS: Readonly<Record<string, readonly FlagTable[]>> = {
  crank: [CRANK_FLAGS],
  crankctl: [TOP_FLAGS, ...COMMANDS.map((command) => command.flags)],
  crankx: [CRANKX_FLAGS],
  socketmaster: [SOCKETMASTER_FLAGS],
};

const pathOf = (program: string): string => resolve(import.meta.dirname, `../../man/${program}.1`);
const read = (program: string): string => readFileSync(pathOf(program), "utf8").replaceAll("\\-", "-");

type Entry = { readonly names: readonly string[]; readonly head: string; readonly text: string };

/** The entries of the sections on flags: the text after a .TP, and the flags that its heading names. */
const entriesOf = (page: string): readonly Entry[] =>
  page
    .split(/^\.SH /m)
    .filter((section) => section.startsWith("FLAGS"))
    .flatMap((section) => section.split(/^\.TP\n/m).slice(1))
    .map((text) => {
      const head = text.slice(0, text.indexOf("\n"));
      return { names: [...head.matchAll(/(?:^| |")-([a-z-]+)/g)].map((match) => match[1] ?? ""), head, text };
    });

describe.each(Object.keys(PROGRAMS))("the manual of %s", (program) => {
  const page = read(program);
  const entries = entriesOf(page);
  const flags = (PROGRAMS[program] ?? []).flatMap((table): [string, Flag][] => Object.entries(table));

  test("has every flag of the program, and no other", () => {
    const described = new Set(entries.flatMap((entry) => entry.names));
    for (const builtIn of ["h", "help"]) described.delete(builtIn);
    expect([...described].sort()).toEqual([...new Set(flags.map(([name]) => name))].sort());
  });

  test("gives a flag's value the name that -help gives it", () => {
    for (const [name, flag] of flags) {
      if (flag.kind === "switch" || flag.kind === "choice") continue;
      const heads = entries.filter((entry) => entry.names.includes(name)).map((entry) => entry.head);
      expect(heads.join("\n")).toContain(`-${name} " ${flag.argument}"`);
    }
  });

  test("names the environment variable that stands in for a flag", () => {
    for (const [name, flag] of flags) {
      if (flag.environment === undefined) continue;
      const told = entries.filter((entry) => entry.names.includes(name)).map((entry) => entry.text);
      expect(told.join("\n")).toContain(flag.environment);
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

/** Every page, the overview too. */
const PAGES = readdirSync(resolve(import.meta.dirname, "../../man")).sort();
const pagePath = (file: string): string => resolve(import.meta.dirname, "../../man", file);

describe.each(PAGES)("the page %s", (file) => {
  const source = readFileSync(pagePath(file), "utf8");

  test("has examples, and refers only to pages that exist", () => {
    expect(source).toMatch(/^\.SH EXAMPLES$/m);
    const [, seeAlso = ""] = source.split(/^\.SH SEE ALSO\n/m);
    expect(seeAlso).not.toBe("");
    for (const [, name, section] of seeAlso.matchAll(/^\.BR (\S+) \(([17])\)/gm))
      if (name?.startsWith("crank") === true) expect(PAGES).toContain(`${name}.${section}`);
  });

  needing("man-db").test(
    "breaks no word at a hyphen, from 60 to 100 columns, and is formatted without a warning",
    () => {
      for (let columns = 60; columns <= 100; columns += 1) {
        const { stdout, stderr } = spawnSync(
          "groff",
          ["-mandoc", "-Tutf8", "-P-cbou", "-ww", `-rLL=${columns}n`, "-rHY=4", pagePath(file)],
          { encoding: "utf8" },
        );
        expect(stderr).toBe("");
        expect(stdout.split("\n").filter((line) => /\w[-\u2010\u00ad]$/.test(line))).toEqual([]);
      }
    },
  );
});

test("the manual of crankctl has every command, in the order of -help", () => {
  const [, after = ""] = read("crankctl").split(/^\.SH COMMANDS\n/m);
  const section = after.slice(0, after.indexOf("\n.SH "));
  const named = [...section.matchAll(/^\.TP\n\.\w+ "?([a-z]+)/gm)].map((match) => match[1]);
  expect(named).toEqual(COMMANDS.map((command) => command.name));
});

test("the help text of every command of crankctl fits 80 columns and lists each of its flags", () => {
  for (const command of COMMANDS) {
    const prepared = command.prepare(["-help"], {});
    const text = "help" in prepared ? prepared.help : "";
    expect(text).toStartWith(`usage: crankctl ${command.name} `);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(text).toMatch(/\n\nExamples:\n( {2}\S.*\n)+$/);
    for (const name of Object.keys(command.flags)) expect(text).toMatch(new RegExp(`^  -${name}\\b`, "m"));
  }
});
