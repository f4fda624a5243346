// YAML as far as einhorn's messages use it, read in one pass: a document of mappings, lists and scalars in every style, with
// anchors for scalars. Time and memory are linear in the text's length: depth and nodes are
// bounded, and nothing is read twice. Rarer syntax (tags, complex keys, directives, further documents) is refused.
import { MOST_DEPTH } from "../json.ts";
import { chomped, foldQuoted, isEscaped, isShallow } from "./yaml-folding.ts";
import { isMappingLine, isMarker, isPlainStart, keyOf, keyText, type Line, linesOf, plainText } from "./yaml-lines.ts";
import { resolveScalar, unescapeDouble, YamlFault } from "./yaml-scalars.ts";

const MOST_NODES = 10_000;

/** The value of a document, in the core schema of YAML 1.2; undefined: it is invalid, or uses unsupported syntax. */
export const readYaml = (text: string): unknown => {
  try {
    return new Reader(text).document();
  } catch (error) {
    if (error instanceof YamlFault) return undefined;
    throw error;
  }
};

/** Characters that are not allowed in YAML (YAML 1.2, section 5.1). */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f\u0080-\u0084\u0086-\u009f\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

class Reader {
  readonly #text: string;
  #lines: Line[] = [];
  /** The next line. */
  #next = 0;
  #nodes = 0;
  readonly #anchors = new Map<string, unknown>();

  constructor(text: string) {
    this.#text = text.replaceAll("\r\n", "\n");
    if (UNPRINTABLE.test(this.#text)) throw new YamlFault();
    this.#lines = linesOf(this.#text);
  }

  document(): unknown {
    this.#skipEmpty();
    const first = this.#line();
    if (first && this.#of(first).startsWith("---") && first.indent === 0) {
      const rest = /^---(?: +|$)/.exec(this.#of(first));
      if (!rest) throw new YamlFault();
      const from = first.from + rest[0].length;
      const behind = this.#text.slice(from, first.to);
      if (behind === "" || behind.startsWith("#")) this.#next += 1;
      else if (/^[|>]/.test(behind) || !isMappingLine(behind))
        this.#lines[this.#next] = { indent: 0, from, to: first.to };
      else throw new YamlFault();
    }
    this.#skipEmpty();
    const value = this.#line() ? this.#node(-1, 0) : null;
    this.#skipEmpty();
    const last = this.#line();
    if (last && this.#of(last) === "..." && last.indent === 0) {
      this.#next += 1;
      this.#skipEmpty();
    }
    if (this.#line()) throw new YamlFault();
    return value;
  }

  #line(): Line | undefined {
    return this.#lines[this.#next];
  }

  #of({ from, to }: Line): string {
    return this.#text.slice(from, to);
  }

  #skipEmpty(): void {
    for (let line = this.#line(); line; line = this.#line()) {
      if (line.from < line.to && this.#text[line.from] !== "#") return;
      this.#next += 1;
    }
  }

  #count(depth: number): void {
    this.#nodes += 1;
    if (depth > MOST_DEPTH || this.#nodes > MOST_NODES) throw new YamlFault();
  }

  /** The node that begins at the next line, which is indented deeper than `above`. */
  #node(above: number, depth: number): unknown {
    this.#count(depth);
    const line = this.#line();
    if (!line || line.indent <= above) throw new YamlFault();
    const text = this.#of(line);
    if (text.startsWith("\t")) throw new YamlFault();
    if (/^-(?: |$)/.test(text)) return this.#list(line.indent, depth);
    if (isMappingLine(text)) return this.#mapping(line.indent, depth);
    return this.#inline(line, line.from, above, depth);
  }

  #list(indent: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (let line = this.#line(); line && line.indent === indent; line = this.#line()) {
      const text = this.#of(line);
      const [dash] = /^-(?: +|$)/.exec(text) ?? [];
      if (dash === undefined) break;
      const from = line.from + dash.length;
      if (from >= line.to || this.#text[from] === "#") {
        this.#next += 1;
        items.push(this.#below(indent, depth));
      } else {
        this.#lines[this.#next] = { indent: indent + dash.length, from, to: line.to };
        items.push(this.#node(indent, depth + 1));
      }
      this.#skipEmpty();
    }
    return items;
  }

  #mapping(indent: number, depth: number): object {
    const fields = new Map<string, unknown>();
    for (let line = this.#line(); line && line.indent === indent; line = this.#line()) {
      if (indent === 0 && isMarker(this.#of(line))) break;
      const { key, rest } = keyOf(this.#of(line));
      if (fields.has(key)) throw new YamlFault();
      const from = line.from + rest;
      if (from >= line.to || this.#text[from] === "#") {
        this.#next += 1;
        this.#skipEmpty();
        const next = this.#line();
        const isList = next !== undefined && next.indent === indent && /^-(?: |$)/.test(this.#of(next));
        fields.set(key, isList ? this.#node(indent - 1, depth + 1) : this.#below(indent, depth));
      } else {
        this.#count(depth + 1);
        fields.set(key, this.#inline(line, from, indent, depth + 1));
      }
      this.#skipEmpty();
    }
    return Object.fromEntries(fields);
  }

  /** The node on the lines below a key or a dash whose own line has no value. */
  #below(indent: number, depth: number): unknown {
    this.#skipEmpty();
    const next = this.#line();
    return next && next.indent > indent ? this.#node(indent, depth + 1) : null;
  }

  /** A node that begins in the middle of a line; all of it but that line is indented deeper than `above`. */
  #inline(line: Line, from: number, above: number, depth: number): unknown {
    const first = this.#text[from];
    if (first === "&") return this.#anchored(line, from, above, depth);
    if (first === "*") return this.#alias(line, from);
    if (first === "|" || first === ">") return this.#blockScalar(line, from, above);
    if (first === '"' || first === "'") {
      const quoted = this.#quoted(from, above);
      this.#leave(quoted.to);
      return quoted.value;
    }
    if (first === "[" || first === "{") {
      const flow = this.#flow(from, above, depth);
      this.#leave(flow.to);
      return flow.value;
    }
    return this.#plain(line, from, above);
  }

  #anchored(line: Line, from: number, above: number, depth: number): unknown {
    const [whole = "", name = ""] = /^&([^\s,[\]{}]+) +/.exec(this.#text.slice(from, line.to)) ?? [];
    // `&a: b` may be an anchor "a:" or a key "a": the library warns about it.
    if (name === "" || name.endsWith(":") || /^[&*]/.test(this.#text.slice(from + whole.length, line.to)))
      throw new YamlFault();
    if (from + whole.length >= line.to || this.#text[from + whole.length] === "#") throw new YamlFault();
    const value = this.#inline(line, from + whole.length, above, depth);
    // A list or mapping that is used more than once can be made to grow without end.
    if (typeof value === "object" && value !== null) throw new YamlFault();
    this.#anchors.set(name, value);
    return value;
  }

  #alias(line: Line, from: number): unknown {
    const [, name = ""] = /^\*([^\s,[\]{}]+)(?: +#.*| *)$/.exec(this.#text.slice(from, line.to)) ?? [];
    if (!this.#anchors.has(name)) throw new YamlFault();
    this.#next += 1;
    return this.#anchors.get(name);
  }

  /** Continues after the line in which a quoted or flow node has ended at `at`; nothing may follow it in that line. */
  #leave(at: number): void {
    let line = this.#line();
    while (line && line.to < at) {
      this.#next += 1;
      line = this.#line();
    }
    const rest = line ? this.#text.slice(at, line.to) : "";
    if (!/^(?: +#.*| *)$/.test(rest)) throw new YamlFault();
    this.#next += 1;
  }

  #plain(line: Line, from: number, above: number): unknown {
    const first = plainText(this.#text.slice(from, line.to));
    this.#next += 1;
    if (!isPlainStart(first.text)) throw new YamlFault();
    let value = first.text;
    let empty = 0;
    for (let next = this.#line(); next && !first.ended; next = this.#line()) {
      if (next.from === next.to) {
        empty += 1;
        this.#next += 1;
        continue;
      }
      const text = this.#of(next);
      if (next.indent <= above || text.startsWith("#") || (next.indent === 0 && /^(?:---|\.\.\.)/.test(text))) break;
      const more = plainText(text);
      value += empty === 0 ? ` ${more.text}` : `${"\n".repeat(empty)}${more.text}`;
      empty = 0;
      this.#next += 1;
      if (more.ended) break;
    }
    return resolveScalar(value);
  }

  #quoted(from: number, above: number): { readonly value: string; readonly to: number } {
    const quote = this.#text[from];
    let to = from + 1;
    for (;;) {
      to = this.#text.indexOf(quote === '"' ? '"' : "'", to);
      if (to < 0) throw new YamlFault();
      if (quote === "'" && this.#text[to + 1] === "'") {
        to += 2;
        continue;
      }
      if (quote === '"' && isEscaped(this.#text, to, from)) {
        to += 1;
        continue;
      }
      break;
    }
    const raw = this.#text.slice(from + 1, to);
    if (/\n(?:---|\.\.\.)/.test(raw) || isShallow(raw, above)) throw new YamlFault();
    const folded = foldQuoted(raw, quote === '"');
    return { value: quote === '"' ? unescapeDouble(folded) : folded.replaceAll("''", "'"), to: to + 1 };
  }

  #blockScalar(line: Line, from: number, above: number): string {
    const header = /^([|>])(?:([1-9])([+-])?|([+-])([1-9])?)?(?: +#.*| *)$/.exec(this.#text.slice(from, line.to));
    if (!header) throw new YamlFault();
    const [, style, before, chompBehind, chompBefore, behind] = header;
    const chomp = chompBehind ?? chompBefore ?? "";
    const digits = before ?? behind;
    this.#next += 1;
    let indent = digits === undefined ? null : Math.max(above, 0) + Number(digits);
    const rows: string[] = [];
    for (let next = this.#line(); next; next = this.#line()) {
      const start = next.from - next.indent;
      if (next.from === next.to) {
        if (indent !== null && next.indent > indent) rows.push(" ".repeat(next.indent - indent));
        else if (indent === null && next.indent > 0) throw new YamlFault();
        else rows.push("");
        this.#next += 1;
        continue;
      }
      if (next.indent <= above) break;
      indent ??= next.indent;
      if (next.indent < indent) break;
      if (next.indent === 0 && /^(?:---|\.\.\.)/.test(this.#of(next))) break;
      rows.push(this.#text.slice(start + indent, this.#endOf(next)));
      this.#next += 1;
    }
    return chomped(rows, style === ">", chomp);
  }

  /** The end of a line with the blanks before it. */
  #endOf({ to }: Line): number {
    const end = this.#text.indexOf("\n", to);
    return end < 0 ? this.#text.length : end;
  }

  // Flow style: newlines are blanks there ------------------------------------------------------------------------------

  #flow(from: number, above: number, depth: number): { readonly value: unknown; readonly to: number } {
    this.#count(depth);
    const isList = this.#text[from] === "[";
    const close = isList ? "]" : "}";
    const items: unknown[] = [];
    const fields = new Map<string, unknown>();
    let at = this.#blanks(from + 1);
    while (this.#text[at] !== close) {
      const item = this.#flowNode(at, above, depth + 1);
      at = this.#blanks(item.to);
      if (isList) items.push(item.value);
      else {
        const key = keyText(item.value);
        if (fields.has(key)) throw new YamlFault();
        let value: unknown = null;
        if (this.#text[at] === ":") {
          const isNext = /[\s,}]/.test(this.#text[at + 1] ?? "") || item.isQuoted;
          if (!isNext) throw new YamlFault();
          at = this.#blanks(at + 1);
          if (!/[,}]/.test(this.#text[at] ?? "")) {
            const given = this.#flowNode(at, above, depth + 1);
            value = given.value;
            at = this.#blanks(given.to);
          }
        }
        fields.set(key, value);
      }
      if (this.#text[at] === ",") at = this.#blanks(at + 1);
      else if (this.#text[at] !== close) throw new YamlFault();
    }
    return { value: isList ? items : Object.fromEntries(fields), to: at + 1 };
  }

  #flowNode(
    from: number,
    above: number,
    depth: number,
  ): { readonly value: unknown; readonly to: number; readonly isQuoted: boolean } {
    const first = this.#text[from] ?? "";
    if (first === "[" || first === "{") return { ...this.#flow(from, above, depth), isQuoted: false };
    this.#count(depth);
    if (first === '"' || first === "'") return { ...this.#quoted(from, above), isQuoted: true };
    FLOW_PLAIN.lastIndex = from;
    const text = FLOW_PLAIN.exec(this.#text)?.[0] ?? "";
    if (!isPlainStart(text) || /^[-?:]/.test(text)) throw new YamlFault();
    return { value: resolveScalar(text), to: from + text.length, isQuoted: false };
  }

  #blanks(from: number): number {
    BLANKS.lastIndex = from;
    const at = from + (BLANKS.exec(this.#text)?.[0].length ?? 0);
    if (at >= this.#text.length || this.#text[at] === "#" || this.#text[at] === "\t") throw new YamlFault();
    return at;
  }
}

/** Blanks, and newlines with the indentation after them. */
const BLANKS = /(?: |\n +)*/y;
/** Ends before characters with a meaning in flow style, and before blanks. */
const FLOW_PLAIN = /[^\s,[\]{}:#]+(?:(?: +|:(?=[^\s,[\]{}])|#)?[^\s,[\]{}:#]+)*/y;
