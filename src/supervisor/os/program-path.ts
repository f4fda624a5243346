// The path of a program to execute.
import type { Platform } from "./platform.ts";

/** The platform, and the directory that crank was started in. */
type Crank = { readonly platform: Platform; readonly facts: { readonly cwd: string } };

/** The search path for programs. */
export const searchPath = ({ platform }: Pick<Crank, "platform">): string =>
  platform.environment.PATH ?? "/usr/local/bin:/usr/bin:/bin";

/**
 * The path of a program that is executed in directory `cwd`. With a slash it is as given, relative to crank's directory
 * (`cwd` "" is that directory). Without one it is the first match in crank's PATH.
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
  // Not found: executing the last candidate fails with an error that names it. The bare name would be looked up in
  // -cwd.
  return candidate;
};
