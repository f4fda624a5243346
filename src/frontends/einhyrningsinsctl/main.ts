// einhyrningsinsctl's command line from end to end: one command of -e, or a shell.

import { UsageError } from "../../commands/flags.ts";
import type { Output } from "../../commands/output.ts";
import { strangeOwner } from "../../commands/socket-owner.ts";
import { escapeControls, escapeLine } from "../../commands/terminal.ts";
import { EINHYRNINGSINS_VERSION } from "../../control/dialects/einhyrningsins.ts";
import { ChannelError } from "../../keeper/channel.ts";
import { VERSION } from "../../version.ts";
import { DEFAULT_SOCKET_PATH } from "../einhyrningsins/options.ts";
import { type Ask, askLine, runShell } from "../line-shell.ts";
import { type OptionTable, optionHelp, parseOptions } from "../options.ts";
import { Connection, LostError } from "./connection.ts";
import { EINHYRNINGSINSCTL_SHELL } from "./shell.ts";

const FAILED = 255;

export const EINHYRNINGSINSCTL_OPTIONS = {
  execute: { short: "e", argument: "CMD", help: "send this command instead of starting a shell" },
  "socket-path": {
    short: "d",
    argument: "PATH",
    help: `where the control socket is (default ${DEFAULT_SOCKET_PATH})`,
  },
  help: { short: "h", help: "show this text" },
  version: { help: "show the version" },
} as const satisfies OptionTable;

/** einhyrningsinsctl as a program; returns its exit status. All output goes to standard output. */
export const einhyrningsinsctl = async (args: readonly string[], out: Output): Promise<number> => {
  try {
    const { given, operands } = parseOptions(EINHYRNINGSINSCTL_OPTIONS, args, "anywhere");
    if (given.help) return say(out, helpPage(), 0);
    if (given.version) return say(out, `einhyrningsinsctl ${EINHYRNINGSINS_VERSION} (crank ${VERSION})\n`, 0);
    if (operands.length > 0)
      throw new UsageError(`unexpected argument ${JSON.stringify(operands[0])}: use -e for a command`);
    return await control(given["socket-path"]?.[0] ?? DEFAULT_SOCKET_PATH, given.execute?.[0], out);
  } catch (error) {
    if (error instanceof UsageError) return say(out, `${escapeControls(error.message)}\n\n${helpPage()}`, FAILED);
    if (error instanceof LostError) return say(out, `Communications error: ${error.message}\n`, FAILED);
    throw error;
  }
};

const say = (out: Output, text: string, status: number): number => {
  out.write(text);
  return status;
};

const helpPage = (): string => `usage: einhyrningsinsctl [OPTIONS] [-e CMD]

Sends a command to einhyrningsins, or starts a shell for its commands; the
command 'help' lists them.

${optionHelp(EINHYRNINGSINSCTL_OPTIONS)}
`;

const control = async (path: string, command: string | undefined, out: Output): Promise<number> => {
  const connection = await open(path);
  if (typeof connection === "string") return say(out, connection, FAILED);
  const strange = await strangeOwner(path);
  if (strange !== null) out.write(`${escapeControls(strange)}\n`);
  try {
    await connection.ask("ehlo", []);
    const ask = askWith(connection, out);
    await (command === undefined ? runShell(EINHYRNINGSINSCTL_SHELL, out, ask) : askLine(command, ask));
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
    if (error.code !== "ENOENT") return `Couldn't open socket [${escapeControls(path)}]: ${error.message}\n`;
    return `Couldn't find control socket (${JSON.stringify(path)})\nIs einhyrningsins running? If its socket has another path, give it with -d.\n`;
  }
};

/** Prints what a command is answered. Throws LostError. */
const askWith =
  (connection: Connection, out: Output): Ask =>
  async (command, args) => {
    const answer = await connection.ask(command, args);
    out.write(`${answer.replace(/\n$/, "").split("\n").map(escapeLine).join("\n")}\n`);
  };
