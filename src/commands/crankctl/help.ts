// crankctl help and version: what the flags of these names do.
import { VERSION } from "../../version.ts";
import { type Command, command, refuseOperands } from "./command.ts";

/** `helpOf`: the help text of a command, or of crankctl; throws UsageError if there is no such command. */
export const helpCommand = (helpOf: (name: string | undefined) => string): Command =>
  command({
    name: "help",
    summary: "show the help text of a command, or this one",
    usage: "[COMMAND]",
    about: ["Shows the same as crankctl COMMAND -help, or crankctl -help."],
    examples: ["crankctl help run"],
    flags: {},
    placement: "anywhere",
    findsServices: true,
    operands: "commands",
    prepare: (_, operands) => {
      const [name, ...more] = operands;
      refuseOperands(more);
      const text = helpOf(name);
      return async (session) => {
        session.out.write(text);
        return 0;
      };
    },
  });

export const version = command({
  name: "version",
  summary: "print crankctl's version",
  usage: "[flags]",
  about: [
    "Prints the version of crankctl, as crankctl -version does. crankctl info shows that of the running crank too.",
  ],
  examples: ["crankctl version"],
  flags: {},
  placement: "anywhere",
  findsServices: true,
  prepare: (_, operands) => {
    refuseOperands(operands);
    return async (session) => {
      session.out.write(`crankctl ${VERSION}\n`);
      return 0;
    };
  },
});
