// Lets crankctl run refuse or replace a command that does not pass crank's sockets on, before anything is started.
import { host } from "#host";
import type { RunParams } from "../../../control/run-params.ts";
import { HostError } from "../../../host/errors.ts";
import { escapeControls } from "../../terminal.ts";
import type { Action } from "../command.ts";
import { deploy } from "./deploy.ts";
import { judgeCommand, type Manifest } from "./launchers.ts";

const MOST_BYTES = 1024 * 1024;
const WRONG_USAGE = 2;

/** `crankctl run`. With -sockets-optional the command stays as it is. */
export const deployDirectly =
  (params: RunParams): Action =>
  async (session) => {
    const { command } = params;
    if (command === undefined || params.socketsOptional === true) return deploy("run", params)(session);
    // On another machine there is another package.json.
    const directory = session.address.kind === "tcp" ? undefined : (params.cwd ?? params.callerCwd);
    const verdict = judgeCommand(command, directory === undefined ? null : await manifestIn(directory));
    if (verdict.kind === "run") return deploy("run", params)(session);
    const isReplaced = verdict.kind === "replace";
    const advice = isReplaced ? `Running its command itself: ${verdict.command.join(" ")}` : verdict.advice;
    session.err.write(`${escapeControls(`crankctl: ${verdict.launcher}: ${verdict.why} ${advice}`)}\n`);
    return isReplaced ? deploy("run", { ...params, command: [...verdict.command] })(session) : WRONG_USAGE;
  };

/** Null: there is none that can be read. */
const manifestIn = async (directory: string): Promise<Manifest | null> => {
  try {
    const bytes = await host.files.readBeside(`${directory}/package.json`, MOST_BYTES);
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const scripts = typeof parsed === "object" && parsed !== null && "scripts" in parsed ? parsed.scripts : null;
    const entries = typeof scripts === "object" && scripts !== null ? Object.entries(scripts) : [];
    const texts = entries.flatMap(([name, text]) => (typeof text === "string" ? [[name, text] as const] : []));
    return { scripts: Object.fromEntries(texts), hasServer: isThere(`${directory}/server.js`) };
  } catch (error) {
    if (error instanceof HostError || error instanceof SyntaxError) return null;
    throw error;
  }
};

const isThere = (path: string): boolean => {
  try {
    return host.files.status(path).kind === "file";
  } catch (error) {
    if (error instanceof HostError) return false;
    throw error;
  }
};
