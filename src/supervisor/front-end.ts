// What a program that crank can be called as has to say: how its command line becomes settings.
import type { Settings } from "./settings.ts";

/** What the command line asks for. `say`: print and exit, as for -help, -version and wrong usage. */
export type Invocation =
  | { readonly kind: "serve"; readonly settings: Settings }
  | { readonly kind: "say"; readonly sink: "stdout" | "stderr"; readonly text: string; readonly status: number };

export type FrontEnd = {
  /** Reads the arguments (without the program's name). Called once in a crank's life. */
  readonly parse: (
    args: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
    cwd: string,
  ) => Invocation;
};
