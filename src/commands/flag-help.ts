// The -help text of a command, made from its flag table: grouped, aligned, within 80 columns.
import { repeats } from "../spec/read.ts";
import type { Flag, FlagTable } from "./flags.ts";

/** `usage`: the forms of the command line. `about`: paragraphs before the flags; `after`: after them. */
export type HelpPage = {
  readonly usage: readonly string[];
  readonly about: readonly string[];
  /** Words with their descriptions under a heading: the commands of a program. */
  readonly list?: { readonly heading: string; readonly rows: readonly (readonly [string, string])[] };
  readonly flags: FlagTable;
  readonly after?: readonly string[];
  /** Command lines. */
  readonly examples?: readonly string[];
};

const WIDTH = 80;
/** Labels longer than this get their help on the next line. */
const LABEL_WIDTH = 24;

/** The page as lines of at most 80 columns, with a newline at its end. */
export const helpText = (page: HelpPage): string => {
  const usage = page.usage.map((form, index) => wrap(form, index === 0 ? "usage: " : "       ", " ".repeat(11)));
  const about = page.about.map((paragraph) => wrap(paragraph, "", ""));
  const after = (page.after ?? []).map((paragraph) => wrap(paragraph, "", ""));
  return `${[usage.join("\n"), ...about, ...list(page.list), ...groups(page.flags), ...after, ...examples(page.examples)].join("\n\n")}\n`;
};

/** A flag as -help and the manual show it: `-stop SEC`. */
const flagLabel = (name: string, flag: Flag): string =>
  flag.kind === "switch" ? `-${name}` : `-${name} ${flag.argument}`;

const list = (content: HelpPage["list"]): string[] => {
  if (content === undefined) return [];
  const column = 2 + Math.max(...content.rows.map(([label]) => label.length)) + 2;
  return [[`${content.heading}:`, ...content.rows.map(([label, text]) => flagLines(label, text, column))].join("\n")];
};

/** They are not wrapped, so that they can be copied. */
const examples = (lines: HelpPage["examples"]): string[] =>
  lines === undefined ? [] : [["Examples:", ...lines.map((line) => `  ${line}`)].join("\n")];

const groups = (table: FlagTable): string[] => {
  const entries = Object.entries(table);
  const longest = Math.max(0, ...entries.map(([name, flag]) => flagLabel(name, flag).length));
  const column = 2 + Math.min(longest, LABEL_WIDTH) + 2;
  const names = [...new Set(entries.map(([, flag]) => flag.group ?? ""))];
  return names.map((group) => {
    const members = entries.filter(([, flag]) => (flag.group ?? "") === group);
    const lines = members.map(([name, flag]) => flagLines(flagLabel(name, flag), description(flag), column));
    return [group === "" ? "Flags:" : `${group}:`, ...lines].join("\n");
  });
};

const description = (flag: Flag): string => {
  const mayRepeat = flag.kind === "texts" || (flag.kind === "setting" && repeats(flag.setting));
  return `${flag.help}${mayRepeat ? " (may repeat)" : ""}${flag.environment === undefined ? "" : ` [$${flag.environment}]`}`;
};

/** A label and what it means, from `column` on; below the label if that is longer. */
export const flagLines = (label: string, text: string, column: number): string => {
  const indent = " ".repeat(column);
  if (label.length > column - 4) return `  ${label}\n${wrap(text, indent, indent)}`;
  return wrap(text, `  ${label}`.padEnd(column), indent);
};

const wrap = (text: string, first: string, next: string): string => {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(" ")) {
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = next;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].join("\n");
};
