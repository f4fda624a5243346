// A plain spec, from which tests and measurements of the core make theirs.
import { type Spec, UNPACED } from "../../src/core/model/spec.ts";

export const SPEC: Spec = {
  command: ["server"],
  cwd: "/",
  env: {},
  user: null,
  umask: null,
  limits: [],
  instances: 1,
  surge: 1,
  unavailable: 0,
  readiness: { kind: "notify" },
  liveness: null,
  minReadyMs: 0,
  startTimeoutMs: 30_000,
  stopTimeoutMs: 30_000,
  stopSteps: [
    { signal: "SIGTERM", afterMs: 0 },
    { signal: "SIGKILL", afterMs: 30_000 },
  ],
  killMode: "group",
  handOver: false,
  fdStore: 512,
  retries: 0,
  rolloutDeadlineMs: null,
  ...UNPACED,
};
