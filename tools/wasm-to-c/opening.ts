// Functions that mostly end where they begin: one that frees a value ends at once for a number, and for an object that is
// still used. Their opening becomes an inline function, which costs its callers no call, no frame and no saved registers;
// the rest becomes a function of its own. (A C compiler could do the same, but moves no statement past the change of the
// stack pointer, which is a variable here.)
//
//   u32 t0 = g0; l4 = (t0 - 16u); g0 = l4;     the frame: only the rest needs it
//   if (…) goto L1;                            the opening: loads, stores, locals, and branches to the end
//   …
//   if (…) goto L1;
//   fn7(l4);                                   the rest
//   …
//   L1:;
//   g0 = (l4 + 16u);                           the frame's end
import type { Signature, ValueType } from "./module.ts";
import { C_TYPES } from "./operators.ts";

export type Opening = {
  readonly statements: readonly string[];
  /** The locals that the rest needs, in order: the parameters, and what the opening sets. */
  readonly locals: readonly number[];
  readonly rest: readonly string[];
};

/** A longer one is not copied to every caller. */
const MOST_STATEMENTS = 12;

const DECLARATION = /^[uf]\d\d l\d+ = 0;$/;
const FRAME = [/^u32 (t\d+) = g0;$/, /^(l\d+) = \((t\d+) - (\d+)u\);$/, /^g0 = (l\d+);$/] as const;
const FRAME_END = /^g0 = \((l\d+) \+ (\d+)u\);$/;
const LABEL = /^L(\d+):;$/;
const GUARD = /^if \((.*)\) goto L(\d+);$/;
const SIMPLE = /^((u32|u64|f32|f64) t\d+ = .*|l\d+ = .*|store_\w+\(.*\));$/;
/** What an expression may call: the operators of wasm.h. */
const OPERATOR = /^((load|store)_|[if](32|64)_)/;

/** The opening of a function, given as the statements of its body; null: it has none. */
export const openingOf = (
  body: readonly string[],
  { params, result }: Signature,
  locals: readonly ValueType[],
): Opening | null => {
  if (result !== null) return null;
  const begin = body.findIndex((statement) => !DECLARATION.test(statement));
  const frame = frameOf(body, begin);
  if (frame === null) return null;
  const length = lengthOf(body.slice(begin + FRAME.length), frame);
  if (length === 0) return null;
  const opening = body.slice(begin + FRAME.length, begin + FRAME.length + length);
  const after = body.slice(begin + FRAME.length + length);
  const set = new Set([...params.keys(), ...opening.flatMap((one) => localSetBy(one) ?? [])]);
  return {
    statements: [
      ...declarations(
        [...set].filter((index) => index >= params.length),
        locals,
      ),
      ...opening.map((one) => one.replace(`goto ${frame.end};`, "return;")),
    ],
    locals: [...set].sort((a, b) => a - b),
    rest: [
      ...declarations(
        [...locals.keys()].filter((index) => !set.has(index)),
        locals,
      ),
      ...body.slice(begin, begin + FRAME.length),
      ...after,
    ],
  };
};

const declarations = (indices: readonly number[], locals: readonly ValueType[]): readonly string[] =>
  indices.flatMap((index) => {
    const type = locals[index];
    return type === undefined ? [] : [`${C_TYPES[type]} l${index} = 0;`];
  });

/** `base`: the local that points to the frame. `end`: the label before its end. */
type Frame = { readonly base: string; readonly end: string };

/** The frame that begins at this statement, and ends with the body; null if there is none, or if it is used otherwise. */
const frameOf = (body: readonly string[], begin: number): Frame | null => {
  const [saved, lowered, stored] = FRAME.map((pattern, index) => pattern.exec(body[begin + index] ?? ""));
  const ended = FRAME_END.exec(body.at(-1) ?? "");
  const label = LABEL.exec(body.at(-2) ?? "");
  if (!saved || !lowered || !stored || !ended || !label) return null;
  const [, base = "", from, size] = lowered;
  const isOne = from === saved[1] && stored[1] === base && ended[1] === base && ended[2] === size;
  const isSetOnce = body.filter((one) => one.startsWith(`${base} = `)).length === 1;
  const isLoweredOnce = body.filter((one) => /\bg0 = /.test(one)).length === 2;
  return isOne && isSetOnce && isLoweredOnce ? { base, end: `L${label[1]}` } : null;
};

/** How many of these statements are the opening: all that are allowed in it, up to the last branch to the end. */
const lengthOf = (statements: readonly string[], { base, end }: Frame): number => {
  let length = 0;
  for (const [index, statement] of statements.slice(0, MOST_STATEMENTS).entries()) {
    const guard = GUARD.exec(statement);
    const isAllowed = guard ? `L${guard[2]}` === end : SIMPLE.test(statement);
    if (!isAllowed || !isPure(guard?.[1] ?? statement, base)) break;
    if (guard && !areTemporariesUsed(statements.slice(0, index), statements.slice(index + 1))) length = index + 1;
  }
  return length;
};

/** Whether it calls only operators, and uses neither the frame nor a global. */
const isPure = (c: string, base: string): boolean =>
  [...c.matchAll(/\b([a-z]\w*)\(/g)].every(([, callee = ""]) => OPERATOR.test(callee)) &&
  ![...c.matchAll(/\b([lg]\d+)\b/g)].some(([, name = ""]) => name === base || name.startsWith("g"));

const areTemporariesUsed = (before: readonly string[], after: readonly string[]): boolean =>
  before.some((statement) => {
    const temporary = /^\w+ (t\d+) = /.exec(statement)?.[1];
    return temporary !== undefined && after.some((one) => new RegExp(`\\b${temporary}\\b`).test(one));
  });

const localSetBy = (statement: string): number | null => {
  const index = /^l(\d+) = /.exec(statement)?.[1];
  return index === undefined ? null : Number(index);
};
