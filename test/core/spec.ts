// A plain spec, from which the core's tests and measurements derive theirs.
import type { Spec } from "../../src/core/model/spec.ts";
import { emptySpec } from "../../src/spec/defaults.ts";

export const SPEC: Spec = { ...emptySpec({}), command: ["server"], cwd: "/" };
