// How large a spec and the settings may be: so that the kernel takes it (execve(2), "Limits on size of arguments and environment"), and so
// that crank can keep it.

import type { Spec } from "../../core/model/spec.ts";
import { byteLength } from "../../host/bytes.ts";
import { LIMITS } from "../../keeper/protocol.ts";
import type { Platform } from "../os/platform.ts";
import type { Settings } from "./settings.ts";

/** As JSON. A control line has no more; ten of them, the whole record, fit into one of the keeper's batches. */
export const MOST_SPEC_BYTES = LIMITS.lineBytes;
/** Below this no stack limit matters, and none is looked up: what the kernel always grants (ARG_MAX of linux/limits.h). */
const ALWAYS_GRANTED_BYTES = 128 * 1024;
/** However high the stack limit is: three quarters of the usual one (fs/exec.c). */
const NEVER_EXCEEDED_BYTES = 6 * 1024 * 1024;
/** The program's path and crank's own variables. */
const OWN_BYTES = 4096;

/** Why no worker can be started of this spec, as a sentence; null if nothing speaks against it. */
export const sizeProblem = (platform: Platform, spec: Spec): string | null => {
  const kept = keptBytes(spec);
  if (kept > MOST_SPEC_BYTES)
    return `The command and its settings would take ${kept} bytes, more than the ${MOST_SPEC_BYTES} that crank keeps; leave something out of the environment (-unset-env), or pass it in a file`;
  const wanted = executedBytes(platform, spec);
  if (wanted <= ALWAYS_GRANTED_BYTES) return null;
  const granted = grantedBytes(platform, spec);
  if (wanted <= granted) return null;
  return `The arguments and the environment would take ${wanted} bytes, more than the ${granted} that the kernel grants at this stack limit; pass less, pass it in a file, or raise it with -limit stack=BYTES`;
};

/** The journal keeps them as one value, with each batch that changes them: in half of what one of the keeper's frames takes. */
const MOST_SETTINGS_BYTES = LIMITS.frameBytes / 2;

/** Why crank cannot keep what it was started with, as a sentence; null if it can. */
export const settingsProblem = (settings: Settings): string | null => {
  const kept = byteLength(JSON.stringify(settings));
  if (kept <= MOST_SETTINGS_BYTES) return null;
  return `The sockets and settings would take ${kept} bytes, more than the ${MOST_SETTINGS_BYTES} that crank keeps; name fewer sockets, or divide them among several cranks`;
};

/** How long a spec is where crank keeps it. */
export const keptBytes = (spec: Spec): number => byteLength(JSON.stringify(spec));

/** What execve(2) has to copy: every string with its end, and the pointer to it. */
const executedBytes = ({ environment }: Platform, { command, env }: Spec): number => {
  let bytes = OWN_BYTES;
  for (const argument of command) bytes += stringBytes(argument);
  for (const [name, value] of Object.entries({ ...environment, ...env })) {
    if (value !== undefined && value !== null) bytes += stringBytes(`${name}=${value}`);
  }
  return bytes;
};

const stringBytes = (text: string): number => byteLength(text) + 1 + 8;

/** A quarter of the stack limit that the worker will have. */
const grantedBytes = (platform: Platform, { limits }: Spec): number => {
  const own = limits.find((limit) => limit.name === "stack");
  const stack = (own ? own.soft : platform.kernelLimits().stack) ?? Number.POSITIVE_INFINITY;
  return Math.max(ALWAYS_GRANTED_BYTES, Math.min(NEVER_EXCEEDED_BYTES, Math.floor(stack / 4)));
};
