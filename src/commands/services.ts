// Which services a PREFIX means: the control sockets whose paths begin with it.
import { host } from "#host";

/** A service by its control socket. */
export type Service = { readonly name: string; readonly path: string };

const SUFFIX = ".ctl";

/** Where the control sockets of `prefix` lie: a prefix that begins with `.` or `/` is a path, another one is below `directory`. */
const locationOf = (prefix: string, directory: string): { readonly directory: string; readonly start: string } => {
  const path = /^[./]/.test(prefix) ? prefix : `${directory.replace(/\/+$/, "")}/${prefix}`;
  const slash = path.lastIndexOf("/");
  // A path such as `.web` lies in the working directory.
  return { directory: slash < 0 ? "." : path.slice(0, slash + 1), start: path.slice(slash + 1) };
};

/** The services of a prefix, sorted as `LC_ALL=C` sorts. As with a shell's `*`, hidden ones only if it begins with a dot. */
export const findServices = (prefix: string, directory: string): readonly Service[] => {
  const location = locationOf(prefix, directory);
  return host.files
    .list(location.directory)
    .filter(
      (name) =>
        name.startsWith(location.start) &&
        name.endsWith(SUFFIX) &&
        name.length >= location.start.length + SUFFIX.length,
    )
    .filter((name) => location.start.startsWith(".") || !name.startsWith("."))
    .sort(byCodePoint)
    .map((name) => ({ name: name.slice(0, -SUFFIX.length), path: joined(location.directory, name) }));
};

/** UTF-8 sorts as its code points do, and UTF-16 does not. */
const byCodePoint = (one: string, other: string): number => {
  const [a, b] = [[...one], [...other]];
  const at = a.findIndex((character, index) => character !== b[index]);
  return at < 0 ? a.length - b.length : (a[at]?.codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? 0);
};

const joined = (directory: string, name: string): string =>
  directory.endsWith("/") ? directory + name : `${directory}/${name}`;
