// Keeps the part of crankctl(1) about the flags of run in step with src/spec/fields.ts: an entry for every row in their
// order, with its head and its default. The text of an entry is written in the page; a new one begins as the row's
// description. Writes the page (--write), or checks it (--check).
import { readFileSync, writeFileSync } from "node:fs";
import { argumentOf, defaultShown } from "../src/spec/described.ts";
import { SPEC_ROWS, type SpecField } from "../src/spec/fields.ts";

const PAGE = "man/crankctl.1";
const SECTION = /^\.SH FLAGS OF RUN\n[\s\S]*?(?=^\.SH )/m;

const escaped = (text: string): string => text.replaceAll("-", "\\-");

const head = (flag: string, field: SpecField): string =>
  field.kind === "switch" ? `.B \\-${escaped(flag)}` : `.BI \\-${escaped(flag)} " ${argumentOf(field)}"`;

/** The last line of an entry; "" if its text says the default, or there is none. */
const lastLine = (field: SpecField): string => {
  const shown = defaultShown(field, field.initial);
  return shown === "" ? "" : `(${shown})\n`;
};

/** A row's description as lines of a page. */
const firstText = ({ about, ...field }: SpecField): string => {
  const sentences = about.replace(/`([^`]*)`/g, "\\fB$1\\fP").replaceAll("-", "\\-");
  return `${sentences}\n${"none" in field && field.none === "unlimited" ? "0 means no limit.\n" : ""}`;
};

/** The text of an entry between its head and its default. */
const textOf = (entry: string, field: SpecField): string => {
  const body = entry.split("\n").slice(2).join("\n");
  return lastLine(field) === "" ? body : body.replace(/^\([^()\n]*\)\n(?![\s\S])/m, "");
};

const isOf = (entry: string, flag: string): boolean =>
  new RegExp(`^\\.TP\\n\\.BI? \\\\-${escaped(flag).replaceAll("\\", "\\\\")}(?: |\\n)`).test(entry);

const rewritten = (section: string): string => {
  const [start = "", ...entries] = section.split(/^(?=\.TP\n)/m);
  let at = 0;
  for (const [flag, field] of SPEC_ROWS) {
    const found = entries.findIndex((entry) => isOf(entry, flag));
    const text = found < 0 ? firstText(field) : textOf(entries[found] ?? "", field);
    const entry = `.TP\n${head(flag, field)}\n${text}${lastLine(field)}`;
    if (found >= 0) entries[found] = entry;
    else entries.splice(at, 0, entry);
    at = (found < 0 ? at : found) + 1;
  }
  return [start, ...entries].join("");
};

const page = readFileSync(PAGE, "utf8");
if (!SECTION.test(page)) throw new Error(`${PAGE} has no section FLAGS OF RUN`);
const text = page.replace(SECTION, rewritten);
if (process.argv[2] === "--write") writeFileSync(PAGE, text);
else if (page !== text) {
  console.error(`${PAGE} is out of date with src/spec/fields.ts: run make docs`);
  process.exitCode = 1;
}
