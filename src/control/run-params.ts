// The parameters of `run`: what to deploy and how. Their bounds are in schemas.ts.
import type { SpecParams } from "../spec/fields.ts";

/**
 * Durations are ms; null means no limit. A parameter that is left out keeps its value of the last good spec, unless `fresh` is set. The fields
 * of the spec are in src/spec/fields.ts.
 */
export type RunParams = RunRequest & SpecParams;

/** Parameters that are not fields of the spec or, like the command, not settings. */
export type RunRequest = {
  /** Chosen by the client. A client that lost its connection sends the same request again and gets the answer of the same rollout. */
  readonly clientId?: string;
  /** The program and its arguments. */
  readonly command?: readonly string[];
  /** The client's directory. With a `command`: the directory of the workers unless `cwd` is given, and the directory where a relative program is looked for. */
  readonly callerCwd?: string;
  /** Refuse the deploy unless this is the pid of a ready worker. Not checked while no worker is ready. */
  readonly pid?: number;
  /** true: answer when the rollout has ended, and send `progress` until then. false: answer when the rollout has begun. */
  readonly wait?: boolean;
  /** true: a parameter that is left out has the value of a first deploy, whatever was deployed before. */
  readonly fresh?: boolean;
  /** Cancel a rollout that is in flight. Without it, a second deploy is refused. */
  readonly supersede?: boolean;
};
