// Specs as JSON. A spec is the longest value in the journal and never changes: its text is kept, and written again when
// its generation has become a good one.
import type { GoodSpec, Spec } from "../../core/model/spec.ts";
import type { Generation } from "../../core/model/state.ts";

/** The text, or the journal's value of its generation. */
const known = new WeakMap<Spec, string | Uint8Array>();
const decoder = new TextDecoder();

/** The journal's value of a generation. The spec is last, so that it can be found without parsing. */
export const generationText = ({ spec, ...others }: Generation): string => withSpec(JSON.stringify(others), spec);

/** The journal's value of a good spec. */
export const goodSpecText = ({ generation, at, spec }: GoodSpec): string =>
  withSpec(`{"generation":${generation},"at":${at}}`, spec);

/** Notes that the spec was read from this journal value. */
export const saveSpecText = (spec: Spec, value: Uint8Array): void => {
  known.set(spec, value);
};

const withSpec = (object: string, spec: Spec): string => `${object.slice(0, -1)}${SPEC}${specText(spec)}}`;
const SPEC = ',"spec":';

const specText = (spec: Spec): string => {
  const before = known.get(spec);
  if (typeof before === "string") return before;
  const text = (before && textIn(decoder.decode(before))) ?? JSON.stringify(spec);
  known.set(spec, text);
  return text;
};

/**
 * The spec's text in a generation's. Only numbers are before the spec. null: an earlier version wrote numbers after it.
 */
const textIn = (generation: string): string | null =>
  generation.endsWith("}}") ? generation.slice(generation.indexOf(SPEC) + SPEC.length, -1) : null;
