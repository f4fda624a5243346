// The directories of services' files when no prefix is given: those of the FHS for root, of the XDG Base Directory
// Specification for other users. With a prefix, all files are in that directory.
import { UsageError } from "./flags.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** `state`: records. `runtime`: control sockets and run directories. */
export type Directories = { readonly state: string; readonly runtime: string };

/** What must be known of the system. */
export type System = { readonly uid: number; readonly exists: (path: string) => boolean };

/** FHS 3.0, 3.15 and 5.8. */
const SYSTEM: Directories = { state: "/var/lib/crank", runtime: "/run/crank" };
/** The directory of earlier versions. Services with files in it keep it. */
const EARLIER = "/var/crank";

/** The directories of a service that crank is started for. Throws UsageError if there is no home directory. */
export const directoriesFor = (
  name: string,
  prefix: string | undefined,
  environment: Environment,
  system: System,
): Directories => {
  if (prefix !== undefined) return { state: prefix, runtime: prefix };
  const isEarlier = [".conf", ".ctl"].some((suffix) => system.exists(`${EARLIER}/${name}${suffix}`));
  if (isEarlier) return { state: EARLIER, runtime: EARLIER };
  return system.uid === 0 ? SYSTEM : userDirectories(environment);
};

/** The directories in which control sockets are looked for, in this order. Without slashes at the end. */
export const socketDirectories = (
  prefix: string | undefined,
  environment: Environment,
  uid: number,
): readonly string[] => {
  if (prefix !== undefined && prefix !== "") return [prefix.replace(/(?<=.)\/+$/, "")];
  const shared = [SYSTEM.runtime, EARLIER];
  if (uid === 0) return shared;
  return hasHome(environment) ? [userDirectories(environment).runtime, ...shared] : shared;
};

/** XDG Base Directory Specification 0.8: relative paths are ignored. Without a runtime directory, the state's. */
const userDirectories = (environment: Environment): Directories => {
  const { XDG_STATE_HOME = "", XDG_RUNTIME_DIR = "", HOME = "" } = environment;
  if (!hasHome(environment))
    throw new UsageError(
      "-prefix: missing, and it cannot be derived, because neither HOME nor XDG_STATE_HOME is set. Give it, or set HOME.",
    );
  const state = `${isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : `${HOME}/.local/state`}/crank`;
  return { state, runtime: isAbsolute(XDG_RUNTIME_DIR) ? `${XDG_RUNTIME_DIR}/crank` : state };
};

const hasHome = ({ XDG_STATE_HOME = "", HOME = "" }: Environment): boolean =>
  isAbsolute(XDG_STATE_HOME) || isAbsolute(HOME);

const isAbsolute = (path: string): boolean => path.startsWith("/");
