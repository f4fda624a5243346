// Values of settings as a configuration file has them: the inverse of read.ts.
import type { Kind } from "./kinds.ts";

/** A value of the control protocol as TOML. Null is no limit, or that the setting does not apply. */
export const written = (setting: Kind, value: unknown): string => {
  switch (setting.kind) {
    case "switch":
      return String(value === true);
    case "count":
      return value === null ? unlimited(setting) : String(value);
    case "duration":
      return value === null ? unlimited(setting) : JSON.stringify(duration(Number(value)));
    case "size":
      return value === null ? "0" : JSON.stringify(size(Number(value)));
    case "octal":
      return value === null ? NONE : JSON.stringify(Number(value).toString(8).padStart(3, "0"));
    default:
      return value === null ? NONE : structured(value);
  }
};

/** For what depends on crank or on other settings. */
const NONE = "(none)";

const unlimited = (setting: Kind): string => ("none" in setting ? "0" : NONE);

const structured = (value: unknown): string => {
  if (Array.isArray(value)) return JSON.stringify(value.map(stepText).join(","));
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (!("kind" in value)) return table(value);
  const { kind, ...more } = value as { readonly kind: string } & Readonly<Record<string, unknown>>;
  const [detail] = Object.values(more);
  if (detail === undefined) return JSON.stringify(kind);
  const text = Array.isArray(detail) ? detail.join(" ") : typeof detail === "number" ? seconds(detail) : detail;
  return JSON.stringify(`${kind}:${text}`);
};

const table = (entries: object): string =>
  `{ ${Object.entries(entries)
    .map(([name, value]) => `${name} = ${value === null ? '"unlimited"' : JSON.stringify(value)}`)
    .join(", ")} }`.replace("{  }", "{}");

/** A step of a stop, as the protocol has it. */
const stepText = (step: unknown): unknown =>
  typeof step === "object" && step !== null && "signal" in step && "after" in step
    ? `${step.signal}@${seconds(Number(step.after))}`
    : step;

const seconds = (ms: number): string => String(ms / 1000);

/** In the largest unit that needs no fraction. */
const duration = (ms: number): string => {
  const unit = UNITS.find(([, length]) => ms >= length && ms % length === 0);
  return unit === undefined ? `${seconds(ms)}s` : `${ms / unit[1]}${unit[0]}`;
};
const UNITS = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

const size = (bytes: number): string => {
  const unit = SIZES.find(([, length]) => bytes % length === 0);
  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`;
};
const SIZES = [
  ["G", 2 ** 30],
  ["M", 2 ** 20],
  ["K", 2 ** 10],
] as const;
