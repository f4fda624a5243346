// A configuration file: its services, typed and checked. Files that it names are read by load.ts.
import type { RunParams } from "../../control/run-params.ts";
import { checkCall } from "../../control/schemas.ts";
import { AddressError, formatAddress, locate, parseUri } from "../../supervisor/os/addresses.ts";
import type { CRANK_FLAGS } from "../crank/flags.ts";
import { type FlagValues, nearest, UsageError } from "../flags.ts";
import { type RUN_FLAGS, runParams } from "../run-flags.ts";
import { isServiceName } from "../service-name.ts";
import { type Document, isTable, readDocument, shown, type Table } from "./document.ts";
import { CRANK_KEYS, KEYS, RUN_KEYS } from "./keys.ts";
import { inOrder } from "./order.ts";
import { commandOf, keyValue, stringsOf } from "./values.ts";

/** A service of a configuration file. */
export type ServiceConfig = {
  readonly name: string;
  /** What to deploy, without the variables of `envFiles`. */
  readonly run: RunParams;
  /** crank's flags for this service. */
  readonly crank: FlagValues<typeof CRANK_FLAGS>;
  /** Absolute paths. The variables of later ones count. */
  readonly envFiles: readonly string[];
  readonly after: readonly string[];
  /** The keys that the file has. */
  readonly keys: readonly string[];
};

/** `services`: in the order in which they are deployed. */
export type Config = { readonly file: string; readonly directory: string; readonly services: readonly ServiceConfig[] };

/**
 * Reads a configuration file. `file` is its name in errors, and paths in it are relative to `directory`. Throws
 * ConfigError.
 */
export const readConfig = (file: string, directory: string, bytes: Uint8Array): Config => {
  const document = readDocument(file, bytes);
  const tables = servicesIn(document);
  const services = tables.map(([name, table]) => serviceFrom(document, directory, name, table));
  refuseSharedAddresses(document, directory, services);
  return { file, directory, services: inOrder(document, services) };
};

const ROOT = "service";
const MOST_SERVICES = 1000;

const servicesIn = (document: Document): readonly (readonly [string, Table])[] => {
  for (const key of document.keysIn([], document.root))
    if (key !== ROOT)
      throw document.error([key], `unknown key ${JSON.stringify(key)}; each service is a table [service.NAME]`);
  const services = document.root[ROOT] ?? {};
  if (!isTable(services)) throw document.error([ROOT], `service must be a table, not ${shown(services)}`);
  const names = document.keysIn([ROOT], services);
  if (names.length === 0) throw document.error([], "no services: each one is a table [service.NAME] with a command");
  if (names.length > MOST_SERVICES)
    throw document.error([ROOT, names[MOST_SERVICES] ?? ""], `more than ${MOST_SERVICES} services`);
  return names.map((name) => {
    const table = services[name];
    if (!isServiceName(name))
      throw document.error(
        [ROOT, name],
        `${JSON.stringify(name)} is to be the name of files: no slash, no space, no dot in front`,
      );
    if (!isTable(table)) throw document.error([ROOT, name], `service.${name} must be a table, not ${shown(table)}`);
    return [name, table];
  });
};

const serviceFrom = (document: Document, directory: string, name: string, table: Table): ServiceConfig => {
  const path = [ROOT, name];
  const keys = document.keysIn(path, table);
  const run: Record<string, unknown> = {};
  const crank: Record<string, unknown> = {};
  const own: { command: readonly string[]; envFiles: readonly string[]; after: readonly string[] } = {
    command: [],
    envFiles: [],
    after: [],
  };
  for (const key of keys) {
    const value = table[key];
    const flag = ownFlag(RUN_KEYS, key) ?? ownFlag(CRANK_KEYS, key);
    const read = <T>(reader: () => T): T => located(document, [...path, key], reader);
    if (key === "command") own.command = read(() => commandOf(value));
    else if (key === "env-file")
      own.envFiles = read(() => stringsOf(key, value)).map((one) => absolute(one, directory));
    else if (key === "after") own.after = read(() => stringsOf(key, value));
    else if (flag === undefined) throw document.error([...path, key], unknownKey(key));
    else {
      const target = Object.hasOwn(RUN_KEYS, key) ? run : crank;
      target[key] = read(() => keyValue(key, flag, value));
    }
  }
  if (own.command.length === 0) throw document.error(path, `service.${name} has no command`);
  // Every value was read by the flag of its key.
  const flags = run as FlagValues<typeof RUN_FLAGS>;
  const params = located(document, path, () => runParams(flags, own.command, () => directory));
  const checked = checkCall("run", params);
  if (!checked.ok) throw document.error(path, `service.${name}: ${checked.error.message}`);
  return {
    name,
    run: params,
    crank: crank as FlagValues<typeof CRANK_FLAGS>,
    envFiles: own.envFiles,
    after: own.after,
    keys,
  };
};

const ownFlag = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

const unknownKey = (key: string): string => {
  if (key === "name") return "unknown key name: a service's name is that of its table, [service.NAME]";
  const near = nearest(key, KEYS);
  return `unknown key ${JSON.stringify(key)}${near === null ? "" : `; did you mean ${near}?`}`;
};

/** Adds the position of a key to what is wrong with its value. */
const located = <T>(document: Document, path: readonly string[], read: () => T): T => {
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError || error instanceof AddressError)
      // Here they are keys, not flags.
      throw document.error(path, error.message.replace(/(^|\s)-(?=[a-z])/g, "$1"), { cause: error });
    throw error;
  }
};

const absolute = (path: string, directory: string): string =>
  path.startsWith("/") ? path : `${directory === "/" ? "" : directory}/${path}`;

/** Each address once. Passed descriptors and ports of the kernel's choice are not compared. */
const refuseSharedAddresses = (document: Document, directory: string, services: readonly ServiceConfig[]): void => {
  const owners = new Map<string, string>();
  for (const { name, crank } of services) {
    const path = [ROOT, name, "bind"];
    for (const uri of crank.bind ?? []) {
      const address = located(document, path, () => locate(`bind ${uri}`, parseUri(uri).address, directory));
      if (address.kind === "inherited" || address.kind === "passed") continue;
      if (address.kind === "internet" && address.port === 0) continue;
      const text = formatAddress(address);
      const owner = owners.get(text);
      if (owner !== undefined)
        throw document.error(
          path,
          owner === name ? `bind has ${uri} twice` : `${uri} is the address of service ${owner} already`,
        );
      owners.set(text, name);
    }
  }
};

/** The services with these names, in the order of the file; all if there are no names. Throws UsageError. */
export const selected = (config: Config, names: readonly string[]): readonly ServiceConfig[] => {
  const known = config.services.map(({ name }) => name);
  const wrong = names.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    const near = nearest(wrong, known);
    throw new UsageError(
      `${config.file} has no service ${JSON.stringify(wrong)}${near === null ? "" : `; did you mean ${near}?`}`,
    );
  }
  return names.length === 0 ? config.services : config.services.filter(({ name }) => names.includes(name));
};
