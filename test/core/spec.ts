// A plain spec, from which tests and measurements of the core make theirs.
import { emptySpec, type Spec } from "../../src/core/model/spec.ts";

export const SPEC: Spec = {
  ...emptySpec({
    instances: 1,
    surge: 1,
    unavailable: 0,
    readiness: { kind: "notify" },
    startTimeoutMs: 30_000,
    stopTimeoutMs: 30_000,
    stopSteps: [
      { signal: "SIGTERM", afterMs: 0 },
      { signal: "SIGKILL", afterMs: 30_000 },
    ],
    killMode: "group",
    handOver: false,
    fdStore: 512,
  }),
  command: ["server"],
  cwd: "/",
};
