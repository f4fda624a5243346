// The keys of a service in a configuration file: those of the flags of crankctl run and of crank, and a few of its own.
import { CRANK_FLAGS } from "../crank/flags.ts";
import type { Flag } from "../flags.ts";
import { SPEC_FLAGS } from "../spec-flags.ts";

/** Flags of crank that are not keys: the table has the name, and `version` is no setting. */
const NOT_KEYS: ReadonlySet<string> = new Set(["name", "version"]);

/** The keys for crankctl run, by name. */
export const RUN_KEYS: Readonly<Record<string, Flag>> = SPEC_FLAGS;

/** The keys for crank, by name. What both have is a setting of run. */
export const CRANK_KEYS: Readonly<Record<string, Flag>> = Object.fromEntries(
  Object.entries<Flag>(CRANK_FLAGS).filter(([name]) => !NOT_KEYS.has(name) && !Object.hasOwn(RUN_KEYS, name)),
);

/** Keys that are no flags with the same values. */
export const OWN_KEYS = ["command", "env-file", "after"] as const;

/** All keys, in the order of the documentation. */
export const KEYS: readonly string[] = [...OWN_KEYS, ...Object.keys(CRANK_KEYS), ...Object.keys(RUN_KEYS)];
