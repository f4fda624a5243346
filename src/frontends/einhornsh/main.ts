// einhornsh's command line from end to end: the commands of -e, or a shell.
import { host } from "#host";
import { UsageError } from "../../commands/flags.ts";
import type { Output } from "../../commands/output.ts";
import { strangeOwner } from "../../commands/socket-owner.ts";
import { escapeControls, escapeLine } from "../../commands/terminal.ts";
import { ChannelError } from "../../keeper/channel.ts";
import { defaultPath } from "../einhorn/paths.ts";
import { type Ask, askLine, runShell } from "../line-shell.ts";
import { type OptionTable, optionHelp, parseOptions } from "../options.ts";
import { Connection, LostError } from "./connection.ts";
import { EINHORNSH_SHELL } from "./shell.ts";

const FAILED = 1;

export const EINHORNSH_OPTIONS = {
  "command-name": { short: "c", argument: "NAME", help: "the service's name, as einhorn got it with -c" },
  "socket-path": { short: "d", argument: "PATH", help: "where the control socket is" },
  execute: { short: "e", argument: "CMD;...", help: "send these commands instead of starting a shell" },
  help: { short: "h", help: "show this text" },
} as const satisfies OptionTable;

type Environment = Readonly<Record<string, string | undefined>>;

export type Sinks = { readonly out: Output; readonly err: Output };

/** einhornsh as a program; gives its exit status. */
export const einhornsh = async (args: readonly string[], environment: Environment, sinks: Sinks): Promise<number> => {
  try {
    const { given, operands } = parseOptions(EINHORNSH_OPTIONS, args, "anywhere", "last");
    if (given.help) return say(sinks.out, usage(), FAILED);
    const [name = given["command-name"]?.[0] ?? "", ...more] = operands;
    if (more.length > 0 || (operands.length > 0 && given["command-name"]))
      throw new UsageError(`unexpected argument ${JSON.stringify(operands.at(-1))}: use -e for commands`);
    const path = given["socket-path"]?.[0] ?? defaultPath(environment, name, "sock");
    return await control(path, given.execute?.[0], environment.USER ?? "", sinks);
  } catch (error) {
    if (error instanceof UsageError)
      return say(sinks.err, `einhornsh: ${escapeControls(error.message)}\n\n${usage()}`, FAILED);
    if (error instanceof LostError) return say(sinks.err, `einhornsh: ${error.message}\n`, FAILED);
    throw error;
  }
};

const say = (output: Output, text: string, status: number): number => {
  output.write(text);
  return status;
};

const usage = (): string => `usage: einhornsh [-c NAME | NAME] [-d PATH] [-e "CMD; CMD"]

Sends commands to einhorn, or starts a shell for them; 'help' lists them.

${optionHelp(EINHORNSH_OPTIONS)}
`;

const control = async (path: string, commands: string | undefined, user: string, sinks: Sinks): Promise<number> => {
  const connection = await open(path);
  if (typeof connection === "string") return say(sinks.err, connection, FAILED);
  const strange = await strangeOwner(path);
  if (strange !== null) sinks.err.write(`einhornsh: ${escapeControls(strange)}\n`);
  try {
    if (host.terminal.isTerminal(0) && commands === undefined) await greet(connection, user, sinks);
    const ask = askWith(connection, sinks.out);
    if (commands === undefined) await runShell(EINHORNSH_SHELL, sinks.out, ask);
    else for (const command of commands.split(";")) if (command.trim() !== "") await askLine(command, ask);
    return 0;
  } finally {
    connection.close();
  }
};

const open = async (path: string): Promise<Connection | string> => {
  try {
    return await Connection.open(path);
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    const shown = escapeControls(path);
    return `einhornsh: ${shown}: ${error.message}; is einhorn running? If its socket has another path, give its name with -c or its path with -d\n`;
  }
};

const greet = (connection: Connection, user: string, { err }: Sinks): Promise<void> =>
  connection.ask({ command: "ehlo", user }, (message) =>
    err.write(`${shown(message)}\nEnter 'help' for the commands, 'quit' to leave.\n`),
  );

/** Prints what a command is answered. Throws LostError. */
const askWith =
  (connection: Connection, out: Output): Ask =>
  (command, args) =>
    connection.ask({ command, args }, (message) => out.write(`${shown(message)}\n`));

const shown = (message: string): string => message.replace(/\n$/, "").split("\n").map(escapeLine).join("\n");
