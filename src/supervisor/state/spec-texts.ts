// Specs as JSON. A spec is the longest value of the journal and never changes: what is written of it once, or was in the journal,
// is written again when its generation has been good.
import type { GoodSpec, Spec } from "../../core/model/spec.ts";
import type { Generation } from "../../core/model/state.ts";

/** As text, or as the journal's value of its generation. */
const known = new WeakMap<Spec, string | Uint8Array>();
const decoder = new TextDecoder();

/** The journal's value for a generation: its spec is last, so that it is found again without reading it. */
export const generationText = ({ spec, ...others }: Generation): string => withSpec(JSON.stringify(others), spec);

/** The journal's value for a good spec. */
export const goodSpecText = ({ generation, at, spec }: GoodSpec): string =>
  withSpec(`{"generation":${generation},"at":${at}}`, spec);

/** The spec of a generation came from this value of the journal. */
export const rememberSpecText = (spec: Spec, value: Uint8Array): void => {
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

/** Before the spec are numbers only. An earlier version wrote numbers behind it; null: so it is there. */
const textIn = (generation: string): string | null =>
  generation.endsWith("}}") ? generation.slice(generation.indexOf(SPEC) + SPEC.length, -1) : null;
