// The default paths of einhorn's files: in the system's temporary directory, named after the service.

type Environment = Readonly<Record<string, string | undefined>>;

/** The default path of a file, `einhorn.sock` or `einhorn-NAME.sock`; name "" for none. */
export const defaultPath = (environment: Environment, name: string, suffix: "sock" | "pid" | "lock"): string =>
  `${temporaryDirectory(environment)}/einhorn${name === "" ? "" : `-${name}`}.${suffix}`;

/** The variables that Ruby's Dir.tmpdir checks, in its order. */
const temporaryDirectory = ({ TMPDIR, TMP, TEMP }: Environment): string => {
  const given = [TMPDIR, TMP, TEMP].find((path) => path?.startsWith("/")) ?? "/tmp";
  return given.replace(/\/+$/, "");
};
