// Finds services by their control sockets: one by its name, those whose names begin with a prefix, those that run.
import { host } from "#host";
import { HostError } from "../host/errors.ts";
import { ACCESS } from "../host/files.ts";
import { ChannelError, connectUnix } from "../keeper/channel.ts";

/** A service by its control socket. */
export type Service = { readonly name: string; readonly path: string };

const SUFFIX = ".ctl";

/** Whether there is a file. */
const exists = (path: string): boolean => {
  try {
    host.files.access(path, ACCESS.exists);
    return true;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return false;
  }
};

/** The control sockets that a service may have, one for each directory. */
const socketPaths = (name: string, directories: readonly string[]): readonly string[] =>
  directories.map((directory) => joined(directory, `${name}${SUFFIX}`));

/** The control socket of a service: in the first directory that has one, else where it would be in the first. */
export const socketPath = (name: string, directories: readonly string[]): string => {
  const paths = socketPaths(name, directories);
  return (paths.length > 1 ? paths.find(exists) : undefined) ?? paths[0] ?? "";
};

/** Why there is no service of this name, and which ones run. */
export const noServiceText = async (name: string, directories: readonly string[]): Promise<string> => {
  const looked = socketPaths(name, directories).join(", ");
  return `no service ${JSON.stringify(name)} (looked for ${looked}). ${runningText(await runningServices(directories), directories)}`;
};

/**
 * The services whose names begin with `prefix`, in the order of their files as `LC_ALL=C` sorts. As with a shell's `*`, hidden ones only if it
 * begins with a dot. A prefix that begins with `.` or `/` is a path, and the directories do not matter. Of services with one
 * name in several directories, the first is taken. Throws HostError if none of the directories can be read.
 */
export const findServices = (prefix: string, directories: readonly string[]): readonly Service[] => {
  const places = /^[./]/.test(prefix)
    ? [placeOf(prefix)]
    : directories.map((directory) => ({ directory, start: prefix }));
  const found = new Map<string, Service>();
  for (const service of listed(places).flat()) if (!found.has(service.name)) found.set(service.name, service);
  return [...found.values()].sort((one, other) => byCodePoint(one.name + SUFFIX, other.name + SUFFIX));
};

type Place = { readonly directory: string; readonly start: string };

/** A path such as `.web` is in the working directory. */
const placeOf = (path: string): Place => {
  const slash = path.lastIndexOf("/");
  return { directory: slash < 0 ? "." : path.slice(0, slash + 1), start: path.slice(slash + 1) };
};

const listed = (places: readonly Place[]): readonly (readonly Service[])[] => {
  const failures: HostError[] = [];
  const services = places.map((place) => {
    try {
      return servicesIn(place);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      failures.push(error);
      return [];
    }
  });
  const [first] = failures;
  if (first !== undefined && failures.length === places.length) throw first;
  return services;
};

const servicesIn = ({ directory, start }: Place): readonly Service[] =>
  host.files
    .list(directory)
    .filter((name) => name.startsWith(start) && name.endsWith(SUFFIX) && name.length >= start.length + SUFFIX.length)
    .filter((name) => start.startsWith(".") || !name.startsWith("."))
    .map((name) => ({ name: name.slice(0, -SUFFIX.length), path: joined(directory, name) }));

/** The services in these directories whose control socket takes a connection. */
export const runningServices = async (directories: readonly string[]): Promise<readonly Service[]> => {
  const services = await Promise.all(
    allServices("", directories).map(async (service) => ((await takesConnection(service.path)) ? [service] : [])),
  );
  return services.flat();
};

/** As findServices; none if none of the directories can be read. */
export const allServices = (prefix: string, directories: readonly string[]): readonly Service[] => {
  try {
    return findServices(prefix, directories);
  } catch (error) {
    if (error instanceof HostError) return [];
    throw error;
  }
};

/** A queue that is full (EAGAIN) is that of a crank which does not answer, but runs. */
const takesConnection = async (path: string): Promise<boolean> => {
  try {
    (await connectUnix(path, { data: () => {}, close: () => {} })).destroy();
    return true;
  } catch (error) {
    if (error instanceof ChannelError) return error.code === "EAGAIN";
    throw error;
  }
};

/** How many names a message has at most. */
const MOST_NAMES = 20;

/** The services that run, as a sentence for messages. */
export const runningText = (services: readonly Service[], directories: readonly string[]): string => {
  const names = services.slice(0, MOST_NAMES).map(({ name }) => name);
  const more = services.length > MOST_NAMES ? ", …" : "";
  const where = directories.join(" or ");
  return names.length === 0 ? `No crank runs with files in ${where}.` : `Running here: ${names.join(", ")}${more}.`;
};

/** UTF-8 sorts like its code points; UTF-16 does not. */
const byCodePoint = (one: string, other: string): number => {
  const [a, b] = [[...one], [...other]];
  const at = a.findIndex((character, index) => character !== b[index]);
  return at < 0 ? a.length - b.length : (a[at]?.codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? 0);
};

const joined = (directory: string, name: string): string =>
  directory.endsWith("/") ? directory + name : `${directory}/${name}`;
