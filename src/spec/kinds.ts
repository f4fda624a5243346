// The kinds of a setting's value: plain data, from which the readers of flags (read.ts), the schemas of the control
// protocol (shapes.ts) and those of the record (stored.ts) follow.

/** What a 0 stands for where no number means "no limit": null in the control protocol, or the value of before. */
type NoneAs = "unlimited" | "kept";

/**
 * The value of a setting. Durations are ms and sizes bytes here, seconds and MB on the command line. `least` and `most`
 * bound what is not 0 by `none`.
 */
export type Kind =
  | { readonly kind: "switch" }
  | { readonly kind: "count"; readonly least: number; readonly most: number; readonly none?: "unlimited" }
  | {
      readonly kind: "duration";
      readonly least?: number;
      readonly most?: number;
      readonly none?: NoneAs;
      /** Why it cannot be shorter, to complete "has to be at least 1 second: …". */
      readonly because?: string;
    }
  | { readonly kind: "size"; readonly most: number; readonly none: "unlimited" }
  | { readonly kind: "choice"; readonly choices: readonly string[]; readonly argument: string }
  /** `text` may be empty, `word` may not. */
  | { readonly kind: "text" | "word"; readonly mostBytes: number; readonly argument: string }
  | { readonly kind: "octal"; readonly most: number }
  /** A path; relative on the command line, absolute everywhere else. */
  | { readonly kind: "directory" }
  | { readonly kind: "signal" }
  | { readonly kind: "stopSteps" }
  | { readonly kind: "readiness" }
  | { readonly kind: "liveness" }
  /** Maps. On the command line an entry a flag; `unset` has the names of entries that are null. */
  | { readonly kind: "environment" }
  | { readonly kind: "unset" }
  | { readonly kind: "limits" };

/** A step of a stop: `signal` is sent `after` ms from its beginning. */
export type StepParams = { readonly signal: string; readonly after: number };
export type ReadyParams =
  | { readonly kind: "notify" | "ack" }
  | { readonly kind: "tcp" }
  | { readonly kind: "delay"; readonly after: number }
  | { readonly kind: "http"; readonly path: string }
  | { readonly kind: "exec"; readonly command: readonly string[] };
export type LiveParams =
  | { readonly kind: "off" }
  | { readonly kind: "tcp" }
  | { readonly kind: "http"; readonly path: string }
  | { readonly kind: "exec"; readonly command: readonly string[] }
  | { readonly kind: "watchdog"; readonly period: number };

type Numeric<K> = K extends { readonly none: NoneAs } ? number | null : number;

/** The value of a kind as a parameter of the control protocol. */
export type ValueOf<K extends Kind> = K extends { readonly kind: "switch" }
  ? boolean
  : K extends { readonly kind: "count" | "duration" | "size" }
    ? Numeric<K>
    : K extends { readonly kind: "octal" }
      ? number
      : K extends { readonly kind: "choice"; readonly choices: readonly (infer C)[] }
        ? C
        : K extends { readonly kind: "stopSteps" }
          ? readonly StepParams[]
          : K extends { readonly kind: "readiness" }
            ? ReadyParams
            : K extends { readonly kind: "liveness" }
              ? LiveParams
              : K extends { readonly kind: "environment" | "unset" }
                ? Readonly<Record<string, string | null>>
                : K extends { readonly kind: "limits" }
                  ? Readonly<Record<string, number | null>>
                  : string;
