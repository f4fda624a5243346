// A plain spec, from which tests and measurements of the core make theirs.
import type { Spec } from "../../src/core/model/spec.ts";
import { emptySpec } from "../../src/spec/defaults.ts";

export const SPEC: Spec = { ...emptySpec({}), command: ["server"], cwd: "/" };
