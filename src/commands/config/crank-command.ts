// The command line of the crank of a service, from its keys.
import type { Flag } from "../flags.ts";
import type { ServiceConfig } from "./config.ts";
import { CRANK_KEYS } from "./keys.ts";

/** crank's arguments for a service. */
export const crankArguments = ({ name, crank }: ServiceConfig): readonly string[] => [
  "-name",
  name,
  ...Object.entries<unknown>(crank).flatMap(([key, value]) => argumentsOf(key, CRANK_KEYS[key], value)),
];

const argumentsOf = (key: string, flag: Flag | undefined, value: unknown): readonly string[] => {
  if (flag?.kind === "switch") return [value === true ? `-${key}` : `-${key}=false`];
  if (Array.isArray(value)) return value.flatMap((one) => [`-${key}`, String(one)]);
  return [`-${key}`, flag?.kind === "seconds" ? String(Number(value) / 1000) : String(value)];
};
