// YAML's scalars: the value of a plain one in the core schema (YAML 1.2, section 10.3), and the escapes of double quotes.

/** The text is invalid, or uses unsupported syntax. */
export class YamlFault extends Error {}

/** The value of a plain scalar. */
export const resolveScalar = (text: string): string | number | boolean | null => {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (text.length > LONGEST_NUMBER) return text;
  if (/^[-+]?[0-9]+$/.test(text)) return Number(text);
  if (/^0o[0-7]+$/.test(text) || /^0x[0-9a-fA-F]+$/.test(text)) return Number(text);
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
  if (/^\.(?:nan|NaN|NAN)$/.test(text)) return Number.NaN;
  const [, sign] = /^([-+]?)\.(?:inf|Inf|INF)$/.exec(text) ?? [];
  if (sign === undefined) return text;
  return sign === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
};
const LONGEST_NUMBER = 64;

/** A double-quoted scalar's text, its lines folded already. Throws YamlFault. */
export const unescapeDouble = (text: string): string => {
  if (!text.includes("\\")) return text;
  return text.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.|\n|$)/gs, (_, escaped: string) => {
    const [kind = ""] = escaped;
    const simple = SIMPLE[escaped];
    if (simple !== undefined) return simple;
    const code = Number.parseInt(escaped.slice(1), 16);
    if (!"xuU".includes(kind) || escaped.length === 1 || code > 0x10ffff) throw new YamlFault();
    return String.fromCodePoint(code);
  });
};

const SIMPLE: Readonly<Record<string, string>> = {
  "0": "\0",
  a: "\u0007",
  b: "\b",
  t: "\t",
  "\t": "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  e: "\u001b",
  " ": " ",
  '"': '"',
  "/": "/",
  "\\": "\\",
  N: "\u0085",
  _: "\u00a0",
  L: "\u2028",
  P: "\u2029",
};
