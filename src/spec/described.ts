// A setting as help texts show it: what its value is called, and its default.
import type { Kind } from "./kinds.ts";

const ARGUMENTS = {
  count: "N",
  duration: "SEC",
  size: "MB",
  octal: "MASK",
  directory: "DIR",
  signal: "SIGNAL",
  stopSteps: "STEPS",
  readiness: "HOW",
  liveness: "HOW",
  environment: "NAME=VALUE",
  unset: "NAME",
  limits: "NAME=N",
} as const satisfies Partial<Record<Kind["kind"], string>>;

/** What the value of a flag is called, `SEC`; "" for a switch. */
export const argumentOf = (setting: Kind): string => {
  if (setting.kind === "switch") return "";
  return "argument" in setting ? setting.argument : ARGUMENTS[setting.kind];
};

/** The help of a setting with what 0 means and the default, as a first deploy has it. */
export const helpOf = (setting: Kind & { readonly help: string; readonly initial?: unknown }): string => {
  const initial = defaultShown(setting, setting.initial);
  switch ("none" in setting ? setting.none : undefined) {
    case "unlimited":
      return `${setting.help}; 0 means no limit (${initial})`;
    case "kept":
      return `${setting.help}; 0 or less keeps the previous value (${initial} at first)`;
    default:
      return initial === "" ? setting.help : `${setting.help} (${initial})`;
  }
};

/** An initial value as it is written on a command line; "" if -help does not show it. */
export const defaultShown = (setting: Kind, initial: unknown): string => {
  switch (setting.kind) {
    case "count":
    case "size":
      return String(initial ?? 0);
    case "duration":
      return String(Number(initial ?? 0) / 1000);
    case "readiness":
    case "liveness":
      // Those of the table have no more than a kind.
      return (initial as { readonly kind: string }).kind;
    case "signal":
      return String(initial);
    default:
      // The help of a choice describes each, and those of a switch and a text what is without them.
      return "";
  }
};
