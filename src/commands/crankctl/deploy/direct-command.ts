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

/** `crankctl run`. */
export const deployDirectly =
  (params: RunParams): Action =>
  async (session) => {
    const direct = await directParams(params, session.address.kind);
    if (direct.kind === "refuse") {
      session.err.write(`crankctl: ${escapeControls(direct.why)}\n`);
      return WRONG_USAGE;
    }
    if (direct.note !== null) session.err.write(`crankctl: ${escapeControls(direct.note)}\n`);
    return deploy("run", direct.params)(session);
  };

/** What to run instead, with a note if it differs; or why nothing. */
type Direct =
  | { readonly kind: "run"; readonly params: RunParams; readonly note: string | null }
  | { readonly kind: "refuse"; readonly why: string };

/** The same deploy by a command that passes the sockets on. With `socketsOptional` the command stays as it is. */
export const directParams = async (params: RunParams, over: "unix" | "tcp"): Promise<Direct> => {
  const { command } = params;
  if (command === undefined || params.socketsOptional === true) return { kind: "run", params, note: null };
  // On another machine there is another package.json.
  const directory = over === "tcp" ? undefined : (params.cwd ?? params.callerCwd);
  const verdict = judgeCommand(command, directory === undefined ? null : await manifestIn(directory));
  switch (verdict.kind) {
    case "run":
      return { kind: "run", params, note: null };
    case "replace": {
      const note = `${verdict.launcher}: ${verdict.why} Running its command itself: ${verdict.command.join(" ")}`;
      return { kind: "run", params: { ...params, command: [...verdict.command] }, note };
    }
    case "refuse":
      return { kind: "refuse", why: `${verdict.launcher}: ${verdict.why} ${verdict.advice}` };
  }
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
