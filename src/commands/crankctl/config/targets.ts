// The cranks of the services of a configuration file: where they listen, and what to do when one does not run.
import { host } from "#host";
import { ConnectError } from "../../../control/client.ts";
import type { Config as Settings } from "../../../control/messages.ts";
import type { RunParams } from "../../../control/run-params.ts";
import { HostError } from "../../../host/errors.ts";
import { ACCESS } from "../../../host/files.ts";
import { formatAddress, locate, parseUri } from "../../../supervisor/os/addresses.ts";
import type { Config, ServiceConfig } from "../../config/config.ts";
import { crankArguments } from "../../config/crank-command.ts";
import { completeParams } from "../../config/load.ts";
import { escapeControls } from "../../terminal.ts";
import { directParams } from "../deploy/direct-command.ts";
import { type CommonFlags, controlAddress, type Environment, Session } from "../session.ts";

/** A service of the file with its crank. */
export type Target = {
  readonly service: ServiceConfig;
  readonly session: Session;
  /** The command line that starts its crank. */
  readonly start: string;
};

/** A service cannot be applied. `message`: a sentence about it, without its name. */
export class TargetError extends Error {
  override readonly name = "TargetError";
  readonly code = "target";
  /** The exit status. */
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

const NO_CRANK = 3;
const WRONG_USAGE = 2;

/** The crank of a service, which may not run. Throws UsageError. */
export const targetOf = async (
  config: Config,
  service: ServiceConfig,
  { prefix }: CommonFlags,
  { environment, session }: { readonly environment: Environment; readonly session: Session },
): Promise<Target> => {
  const { crank, name } = service;
  const own = crank.prefix === undefined ? prefix : under(config.directory, crank.prefix);
  const flags: CommonFlags =
    crank.ctl === undefined
      ? { name, ...(own === undefined ? {} : { prefix: own }) }
      : { ctl: formatAddress(locate(`ctl ${crank.ctl}`, parseUri(crank.ctl).address, config.directory)) };
  const address = await controlAddress(flags, environment);
  const where = crank.prefix === undefined && prefix !== undefined ? ["-prefix", prefix] : [];
  const start = ["crank", ...where, ...crankArguments(service)].map(quoted).join(" ");
  const ownSession = new Session(address, session.json, session.out, session.err, `crankctl: ${service.name}`);
  return { service, session: ownSession, start };
};

const under = (directory: string, path: string): string => (path.startsWith("/") ? path : `${directory}/${path}`);

/** What the file wants of a service, for its crank. Throws EnvFileError, and TargetError for a command that loses the sockets. */
export const wantedParams = async ({ service, session }: Target): Promise<RunParams> => {
  const params = { ...(await completeParams(service)), fresh: true };
  const verdict = await directParams(params, session.address.kind);
  if (verdict.kind === "refuse") throw new TargetError(WRONG_USAGE, verdict.why);
  if (verdict.note !== null) session.err.write(`${escapeControls(`${service.name}: ${verdict.note}`)}\n`);
  return verdict.params;
};

/** The settings in effect, and those that `run` would have. Throws TargetError if no crank runs, CallError if they are refused. */
export const settingsOf = async ({ service, session, start }: Target, run: RunParams | null): Promise<Settings> => {
  try {
    return await session.ask((client) => client.call("config", run === null ? {} : { run }));
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    throw new TargetError(NO_CRANK, `no crank runs for it (${error.message}). Start it: ${unitOf(service)}${start}`, {
      cause: error,
    });
  }
};

const UNITS = [
  "/etc/systemd/system/crank@.service",
  "/usr/lib/systemd/system/crank@.service",
  "/lib/systemd/system/crank@.service",
];

const unitOf = ({ name }: ServiceConfig): string =>
  UNITS.some(exists) ? `systemctl start ${quoted(`crank@${name}`)}, or ` : "";

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

const exists = (path: string): boolean => {
  try {
    host.files.access(path, ACCESS.exists);
    return true;
  } catch (error) {
    if (error instanceof HostError) return false;
    throw error;
  }
};
