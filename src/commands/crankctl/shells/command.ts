// crankctl completion: the script that lets a shell complete crank, crankctl and crankx.
import { UsageError } from "../../flags.ts";
import { command } from "../command.ts";
import { SCRIPTS } from "./scripts.ts";

/** The shells that there is a script for. */
export const SHELLS: readonly string[] = Object.keys(SCRIPTS);

const isShell = (word: string): word is keyof typeof SCRIPTS => Object.hasOwn(SCRIPTS, word);

export const completion = command({
  name: "completion",
  summary: "print the completion script of a shell",
  usage: "bash|zsh|fish",
  about: [
    "Prints a script that makes the shell complete the commands, flags and values of crank, crankctl and crankx, and the services, generations and pids of the cranks that run. make install-completions and the packages install it where the shells look for it.",
  ],
  examples: [
    "source <(crankctl completion bash)",
    "source <(crankctl completion zsh)",
    "crankctl completion fish | source",
  ],
  flags: {},
  placement: "anywhere",
  findsServices: true,
  operands: "shells",
  prepare: (_, operands) => {
    const [shell, more] = operands;
    if (shell === undefined) throw new UsageError("shell: missing. Write completion bash, zsh or fish.");
    if (!isShell(shell))
      throw new UsageError(
        `${JSON.stringify(shell)}: no script for this shell. There are those for bash, zsh and fish.`,
      );
    if (more !== undefined) throw new UsageError(`${JSON.stringify(more)}: unexpected argument`);
    return async (session) => {
      session.out.write(SCRIPTS[shell]);
      return 0;
    };
  },
});
