// Where a program is that is to be executed.
import type { Platform } from "./platform.ts";

/** crank itself: the system that it runs on, and the directory that it was started in. */
type Crank = { readonly platform: Platform; readonly facts: { readonly cwd: string } };

/** Where programs are looked for. */
export const searchPath = ({ platform }: Pick<Crank, "platform">): string =>
  platform.environment.PATH ?? "/usr/local/bin:/usr/bin:/bin";

/**
 * Where the program is that is executed in directory `cwd`: as given if it has a slash (relative to crank's directory, wherever a
 * wrapper has led: `cwd` "" is that one), else the first match in crank's PATH.
 */
export const programPath = ({ facts, platform }: Crank, program: string, cwd: string): string => {
  const below = (path: string): string => `${facts.cwd === "/" ? "" : facts.cwd}/${path}`;
  if (program.startsWith("/")) return program;
  if (program.includes("/")) return cwd === "" ? program : below(program);
  let candidate = program;
  for (const directory of searchPath({ platform }).split(":")) {
    candidate = `${directory.startsWith("/") ? directory : below(directory)}/${program}`;
    if (platform.isExecutable(candidate)) return candidate;
  }
  // Not there: executing the last place that was looked at fails, and says so. (The bare name would be taken from -cwd.)
  return candidate;
};
