// crankctl apply, diff and config: services from a configuration file.
import { host } from "#host";
import { ConnectError } from "../../../control/client.ts";
import { AddressError } from "../../../supervisor/os/addresses.ts";
import { FileError } from "../../../supervisor/os/file-error.ts";
import { callerDirectory } from "../../caller-directory.ts";
import { type Config, type ServiceConfig, selected } from "../../config/config.ts";
import { ConfigError } from "../../config/document.ts";
import { loadConfig } from "../../config/load.ts";
import { directoriesFor } from "../../directories.ts";
import { UsageError } from "../../flags.ts";
import { escapeControls, safeJson } from "../../terminal.ts";
import { type Action, command } from "../command.ts";
import { type CommonFlags, controlAddress, type Environment, Session } from "../session.ts";
import { type Applied, listPath, readApplied, writeApplied } from "./applied.ts";
import { applyOne, printProblem, printResult } from "./apply.ts";
import { changesBetween, entriesOf, shownEntry } from "./changes.ts";
import { settingsOf, type Target, targetOf, wantedParams } from "./targets.ts";

const FILE = {
  kind: "text",
  argument: "FILE",
  help: "the configuration file (crank.toml)",
} as const;
const DEFAULT_FILE = "crank.toml";

/** How many names a message has at most. */
const MOST_NAMES = 20;

const FAILED = 1;
const WRONG_USAGE = 2;

type Context = {
  readonly session: Session;
  readonly config: Config;
  readonly flags: CommonFlags;
  readonly environment: Environment;
};
type Work = (context: Context, services: readonly ServiceConfig[]) => Promise<number>;

/** Reads the file and its services with these names, and works on them. A wrong file is an error of usage. */
const withConfig =
  (
    file: string | undefined,
    names: readonly string[],
    common: { readonly flags: CommonFlags; readonly environment: Environment },
    work: Work,
  ): Action =>
  async (session) => {
    try {
      const config = await loadConfig(file ?? DEFAULT_FILE, callerDirectory());
      return await work({ session, config, ...common }, selected(config, names));
    } catch (error) {
      const isOfFile = error instanceof ConfigError || error instanceof UsageError || error instanceof AddressError;
      if (!isOfFile) throw error;
      session.err.write(`${escapeControls(`crankctl: ${error.message}`)}\n`);
      return WRONG_USAGE;
    }
  };

/** Works on the services in order, until one fails. */
const each = async (
  context: Context,
  services: readonly ServiceConfig[],
  work: (target: Target) => Promise<void>,
): Promise<number> => {
  const { config, flags, session } = context;
  for (const [index, service] of services.entries()) {
    const target = await targetOf(config, service, flags, context);
    try {
      await work(target);
    } catch (error) {
      const status = await printProblem(target, error);
      if (status === null) throw error;
      const left = services.slice(index + 1).map(({ name }) => name);
      const more = left.length > MOST_NAMES ? ", …" : "";
      if (left.length > 0)
        session.err.write(`Not looked at: ${escapeControls(left.slice(0, MOST_NAMES).join(", "))}${more}\n`);
      return status;
    }
  }
  return 0;
};

export const apply = command({
  name: "apply",
  summary: "deploy what differs from a configuration file",
  usage: "[-f FILE] [-wait] [-prune] [flags] [SERVICE...]",
  about: [
    "Deploys the services of the file whose settings differ from those in effect, in the order of the file and of its `after` keys. Nothing is inherited from earlier runs: a key that is missing has its default. At the first failure it stops; what was deployed before stays.",
    "The crank of each service must run. A service that was removed from the file goes on, unless -prune is given.",
  ],
  examples: ["crankctl apply -wait", "crankctl apply -f /etc/crank.toml -wait web"],
  flags: {
    f: FILE,
    wait: { kind: "switch", help: "wait for the end of each rollout before the next service" },
    prune: {
      kind: "switch",
      help: "shut down the services that were applied from this file and are not in it any more",
    },
  },
  placement: "anywhere",
  findsServices: true,
  operands: "services",
  prepare: ({ f, wait, prune }, names, common) => {
    if (prune === true && names.length > 0)
      throw new UsageError(`-prune: it is for all services of the file. Omit ${names[0]}.`);
    return withConfig(f, names, common, async (context, services) => {
      const removed = await noteServices(context, services);
      const status = await each(context, services, async (target) => {
        const isAwaited = services.some(({ after }) => after.includes(target.service.name));
        printResult(target, await applyOne(target, wait === true || isAwaited));
      });
      if (status !== 0 || names.length > 0) return status;
      return prune === true ? await shutDown(context, removed, wait === true) : tellKept(context, removed);
    });
  },
});

/** The path of the list of applied services, and the absolute path of the configuration file. */
const listOf = ({ config, flags, environment }: Context): readonly [string, string] => {
  const { uid } = host.processes.identity();
  const { state } = directoriesFor("", flags.prefix, environment, { uid, exists: () => false });
  const base = config.file.slice(config.file.lastIndexOf("/") + 1);
  const file = `${config.directory === "/" ? "" : config.directory}/${base}`;
  return [listPath(state, file), file];
};

/** Adds these services to the list, before anything is deployed. Returns those of the list that the file does not have. */
const noteServices = async (context: Context, services: readonly ServiceConfig[]): Promise<Applied> => {
  const { config, session, flags } = context;
  const [path, file] = listOf(context);
  const before = readApplied(path, file);
  const added = await Promise.all(
    services.map(async (service) => {
      const { address } = (await targetOf(config, service, flags, context)).session;
      return [
        service.name,
        address.kind === "unix" ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`,
      ];
    }),
  );
  await keep(session, () => writeApplied(path, file, { ...before, ...Object.fromEntries(added) }));
  const names = new Set(config.services.map(({ name }) => name));
  return Object.fromEntries(Object.entries(before).filter(([name]) => !names.has(name)));
};

/** Without the list, apply does its work, but a later -prune does less. */
const keep = async (session: Session, write: () => Promise<void>): Promise<void> => {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    session.err.write(
      `WARNING: which services were applied could not be noted, and -prune will not know them: ${escapeControls(error.message)}\n`,
    );
  }
};

const tellKept = ({ session, config }: Context, removed: Applied): number => {
  if (session.json) return 0;
  for (const name of Object.keys(removed))
    session.out.write(
      `${escapeControls(name)}: not in ${escapeControls(config.file)} any more, kept; -prune shuts it down\n`,
    );
  return 0;
};

/** Shuts down removed services, and takes them off the list. One whose crank does not run is only taken off. */
const shutDown = async (context: Context, removed: Applied, wait: boolean): Promise<number> => {
  const { session, environment } = context;
  let left = removed;
  for (const [name, ctl] of Object.entries(removed)) {
    const own = new Session(await controlAddress({ ctl }, environment), session.json, session.out, session.err);
    try {
      await own.ask((client) => client.call("shutdown", wait ? { wait: true } : {}));
      say(session, name, "shutDown", wait ? "shut down" : "shutting down");
    } catch (error) {
      if (!(error instanceof ConnectError)) {
        if (!(error instanceof Error && "code" in error)) throw error;
        session.err.write(`${escapeControls(`crankctl: ${name}: ${error.message}`)}\n`);
        return FAILED;
      }
      say(session, name, "notRunning", "not in the file any more, and not running");
    }
    left = Object.fromEntries(Object.entries(left).filter(([other]) => other !== name));
    const [path, file] = listOf(context);
    const all = readApplied(path, file);
    await keep(session, () =>
      writeApplied(path, file, Object.fromEntries(Object.entries(all).filter(([other]) => other !== name))),
    );
  }
  return 0;
};

const say = (session: Session, name: string, kind: string, text: string): void =>
  session.out.write(session.json ? `${safeJson({ service: name, kind })}\n` : `${escapeControls(name)}: ${text}\n`);

export const diff = command({
  name: "diff",
  summary: "show what apply would change",
  usage: "[-f FILE] [flags] [SERVICE...]",
  about: [
    "Shows which settings in effect differ from the file, key by key, and changes nothing. The values of variables are not shown.",
  ],
  examples: ["crankctl diff", "crankctl diff -f /etc/crank.toml web"],
  flags: { f: FILE },
  placement: "anywhere",
  findsServices: true,
  operands: "services",
  prepare: ({ f }, names, common) =>
    withConfig(f, names, common, (context, services) =>
      each(context, services, async (target) => {
        const { running, rollout, asked } = await settingsOf(target, await wantedParams(target));
        const { session, service } = target;
        const all = asked === null ? [] : changesBetween(running, asked);
        // Before the first deploy everything differs.
        const changes = running === null ? all.filter(({ key }) => isInFile(service, key)) : all;
        const generation = running?.generation ?? null;
        if (session.json)
          return session.out.write(
            `${safeJson({ service: service.name, generation, rollout: rollout?.generation ?? null, changes })}\n`,
          );
        const state = generation === null ? "nothing deployed yet" : `generation ${generation}`;
        const flight = rollout === null ? "" : `, generation ${rollout.generation} is being rolled out`;
        const same = generation !== null && changes.length === 0 ? ", unchanged" : "";
        session.out.write(`${escapeControls(service.name)}: ${state}${flight}${same}\n`);
        const width = Math.max(0, ...changes.map(({ key }) => key.length));
        for (const { key, from, to } of changes)
          session.out.write(
            `  ${escapeControls(key.padEnd(width))}  ${escapeControls(from ?? "(none)")} -> ${escapeControls(to ?? "(none)")}\n`,
          );
      }),
    ),
});

/** Where a value in effect comes from. */
type Source = "file" | "default" | "running";

export const config = command({
  name: "config",
  summary: "show the settings in effect, and where they come from",
  usage: "[-f FILE] [flags] [SERVICE...]",
  about: [
    "Shows every setting in effect, and whether it is that of the file, the default, or that of an earlier run (running), with what apply would make of it. The values of variables are not shown.",
  ],
  examples: ["crankctl config", "crankctl config -f /etc/crank.toml -json"],
  flags: { f: FILE },
  placement: "anywhere",
  findsServices: true,
  operands: "services",
  prepare: ({ f }, names, common) =>
    withConfig(f, names, common, (context, services) =>
      each(context, services, async (target) => {
        const { running, asked } = await settingsOf(target, await wantedParams(target));
        const { service, session } = target;
        const wanted = asked === null ? new Map<string, string>() : entriesOf(asked);
        const present = running === null ? new Map<string, string>() : entriesOf(running);
        const rows = [...new Set([...present.keys(), ...wanted.keys()])].map((key) => {
          const [value, other] = [present.get(key) ?? null, wanted.get(key) ?? null];
          const source: Source = value !== other ? "running" : isInFile(service, key) ? "file" : "default";
          return { key, value: value && shownEntry(key, value), source, wanted: other && shownEntry(key, other) };
        });
        if (session.json)
          return session.out.write(
            `${safeJson({ service: service.name, generation: running?.generation ?? null, settings: rows })}\n`,
          );
        const state = running === null ? "nothing deployed yet" : `generation ${running.generation}`;
        session.out.write(`[service.${escapeControls(service.name)}]  # ${state}\n`);
        const lines = rows.map(({ key, value, source, wanted: other }) => [
          `${key} = ${value ?? "(none)"}`,
          source === "running" ? `running; apply: ${other ?? "(none)"}` : source,
        ]);
        const width = Math.min(48, Math.max(...lines.map(([text = ""]) => text.length)));
        for (const [text = "", note = ""] of lines)
          session.out.write(`${escapeControls(text.padEnd(width))}  # ${escapeControls(note)}\n`);
      }),
    ),
});

const isInFile = ({ keys }: ServiceConfig, key: string): boolean =>
  keys.includes(key) || (key.startsWith("env.") && ["env", "env-file", "unset-env"].some((one) => keys.includes(one)));
