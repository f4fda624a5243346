// Size limits of a spec and the settings: the kernel must accept it (execve(2), "Limits on size of arguments and
// environment"), and crank must be able to store it.

import type { Spec } from "../../core/model/spec.ts";
import { byteLength } from "../../host/bytes.ts";
import { LIMITS } from "../../keeper/protocol.ts";
import type { Platform } from "../os/platform.ts";
import type { Settings } from "./settings.ts";

/** As JSON: the longest control line. Ten of them, a whole record, fit into one of the keeper's batches. */
export const MOST_SPEC_BYTES = LIMITS.lineBytes;
/** The kernel always grants this (ARG_MAX of linux/limits.h), so below it the stack limit is not looked up. */
const ALWAYS_GRANTED_BYTES = 128 * 1024;
/** The kernel's maximum for any stack limit: three quarters of the usual one (fs/exec.c). */
const NEVER_EXCEEDED_BYTES = 6 * 1024 * 1024;
/** The program's path and crank's own variables. */
const OWN_BYTES = 4096;

/** Why no worker of this spec can be started, as a sentence; null if the size is no obstacle. */
export const sizeProblem = (platform: Platform, spec: Spec): string | null => {
  const kept = keptBytes(spec);
  if (kept > MOST_SPEC_BYTES)
    return `The command and its settings would take ${kept} bytes, more than the ${MOST_SPEC_BYTES} that crank keeps; reduce the environment (-unset-env), or pass data in a file`;
  const wanted = executedBytes(platform, spec);
  if (wanted <= ALWAYS_GRANTED_BYTES) return null;
  const granted = grantedBytes(platform, spec);
  if (wanted <= granted) return null;
  return `The arguments and the environment would take ${wanted} bytes, more than the ${granted} that the kernel grants at this stack limit; pass less, pass data in a file, or raise the limit with -limit stack=BYTES`;
};

/** Settings are one journal value, written with each batch that changes them: at most half of a keeper's frame. */
const MOST_SETTINGS_BYTES = LIMITS.frameBytes / 2;

/** Why crank cannot store what it was started with, as a sentence; null if it can. */
export const settingsProblem = (settings: Settings): string | null => {
  const kept = byteLength(JSON.stringify(settings));
  if (kept <= MOST_SETTINGS_BYTES) return null;
  return `The sockets and settings would take ${kept} bytes, more than the ${MOST_SETTINGS_BYTES} that crank keeps; use fewer sockets, or divide them among several cranks`;
};

/** The length of a spec in the journal. */
export const keptBytes = (spec: Spec): number => byteLength(JSON.stringify(spec));

/** What execve(2) has to copy: every string with its terminator, and a pointer to it. */
const executedBytes = ({ environment }: Platform, { command, env }: Spec): number => {
  let bytes = OWN_BYTES;
  for (const argument of command) bytes += stringBytes(argument);
  for (const [name, value] of Object.entries({ ...environment, ...env })) {
    if (value !== undefined && value !== null) bytes += stringBytes(`${name}=${value}`);
  }
  return bytes;
};

const stringBytes = (text: string): number => byteLength(text) + 1 + 8;

/** A quarter of the worker's stack limit. */
const grantedBytes = (platform: Platform, { limits }: Spec): number => {
  const own = limits.find((limit) => limit.name === "stack");
  const stack = (own ? own.soft : platform.kernelLimits().stack) ?? Number.POSITIVE_INFINITY;
  return Math.max(ALWAYS_GRANTED_BYTES, Math.min(NEVER_EXCEEDED_BYTES, Math.floor(stack / 4)));
};
