// Reads type declarations with their doc comments from a module's text. Understands as much TypeScript as the types of
// the control protocol use.

/** `text`: what is on the right of `=`, comments included. */
export type Declaration = { readonly name: string; readonly doc: string; readonly text: string };
export type Field = { readonly name: string; readonly optional: boolean; readonly doc: string; readonly text: string };

const OPENING = "{([<";
const CLOSING = "})]>";

/** Splits at a separator outside of brackets, strings and comments. Empty pieces are left out. */
const split = (text: string, separator: string): readonly string[] => {
  const pieces: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (text.startsWith("/*", at)) at = text.indexOf("*/", at) + 1;
    else if (text.startsWith("//", at)) at = text.indexOf("\n", at);
    else if (character === '"') at = text.indexOf('"', at + 1);
    else if (OPENING.includes(character)) depth += 1;
    else if (CLOSING.includes(character)) depth -= 1;
    else if (depth === 0 && character === separator) {
      pieces.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...pieces, text.slice(from)].map((piece) => piece.trim()).filter((piece) => piece !== "");
};

/** The text of a doc comment without its delimiters. */
const plain = (comment: string): string =>
  comment
    .replace(/^\/\*\*|\*\/$/g, "")
    .replace(/^\s*\* ?/gm, "")
    .replace(/\s+/g, " ")
    .replaceAll("\\`", "`")
    .trim();

const COMMENT = /\/\*\*[\s\S]*?\*\//g;
const withoutComments = (text: string): string => text.replace(COMMENT, "").trim();

/** Every type and exported constant of a module. */
export const declarationsIn = (module: string): ReadonlyMap<string, Declaration> => {
  const found = new Map<string, Declaration>();
  const heads = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?^(?:export const|(?:export )?type) (\w+)[^=\n]*=/gm;
  for (const head of module.matchAll(heads)) {
    const [all, comment = "", name = ""] = head;
    const text = split(module.slice(head.index + all.length), ";")[0] ?? "";
    found.set(name, { name, doc: plain(comment.trim()), text });
  }
  return found;
};

/** The parts of an intersection; any other type is one part. */
export const partsOf = (type: string): readonly string[] => split(type, "&").map(withoutLeadingComment);
const withoutLeadingComment = (text: string): string => text.replace(/^\/\*\*[\s\S]*?\*\/\s*/, "");

/** The alternatives of a union with their comments, which are before the `|`. */
export const alternativesOf = (type: string): readonly { readonly doc: string; readonly text: string }[] => {
  let doc = "";
  return split(type, "|").flatMap((piece) => {
    const next = /\/\*\*(?:(?!\*\/)[\s\S])*\*\/$/.exec(piece)?.[0] ?? "";
    const text = piece.slice(0, piece.length - next.length).trim();
    const own = doc;
    doc = plain(next);
    return text === "" ? [] : [{ doc: own, text }];
  });
};

/** The fields of an object type or object; `[]` for anything else. `separator`: what is between them. */
export const fieldsOf = (text: string, separator: ";" | "," = ";"): readonly Field[] => {
  const body = /^\{([\s\S]*)\}(?: as const)?$/.exec(text.trim())?.[1];
  if (body === undefined) return [];
  return split(body, separator).flatMap((piece) => {
    const comments = [...piece.matchAll(/^(?:\s*\/\*\*[\s\S]*?\*\/)+/g)][0]?.[0] ?? "";
    const [, name, optional, type = ""] =
      /^(?:readonly )?(\w+)(\??):\s*([\s\S]*)$/.exec(piece.slice(comments.length).trim()) ?? [];
    return name === undefined ? [] : [{ name, optional: optional === "?", doc: plain(comments.trim()), text: type }];
  });
};

/** A type on one line, without `readonly` and comments. */
export const typeText = (type: string): string =>
  withoutComments(type)
    .replace(/\breadonly /g, "")
    .replace(/\s+/g, " ")
    .replace(/^\| /, "")
    .replace(/; \}/g, " }")
    .replace(/\bReadonly<(Record<[^>]*>)>/g, "$1")
    .replace(/^\(([^()]*)\)\[\]$/, "($1)[]");
