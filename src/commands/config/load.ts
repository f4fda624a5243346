// Reads configuration files and the env files that they name.
import { host } from "#host";
import type { RunParams } from "../../control/run-params.ts";
import { HostError } from "../../host/errors.ts";
import { EnvFileError, readEnvFile, type Variables } from "../env-file.ts";
import { type Config, readConfig, type ServiceConfig } from "./config.ts";
import { ConfigError, MOST_BYTES } from "./document.ts";

/** Reads the configuration file `path`, which is relative to `cwd`. Throws ConfigError. */
export const loadConfig = async (path: string, cwd: string): Promise<Config> => {
  const whole = path.startsWith("/") ? path : `${cwd === "/" ? "" : cwd}/${path}`;
  const directory = whole.slice(0, whole.lastIndexOf("/")) || "/";
  return readConfig(path, directory, await bytesOf(path, whole));
};

const bytesOf = async (path: string, whole: string): Promise<Uint8Array> => {
  try {
    return await host.files.readBeside(whole, MOST_BYTES);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new ConfigError(path, null, FILE_PROBLEMS[error.code] ?? `cannot be read: ${error.code}`, { cause: error });
  }
};

const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "no such file; -f names another one",
  EFBIG: `the file has more than ${MOST_BYTES / 1024 ** 2} MiB`,
  EISDIR: "is a directory",
  EACCES: "permission denied",
};

/** The variables of env files; those of later files count. Throws EnvFileError. */
export const loadEnvFiles = async (paths: readonly string[]): Promise<Variables> => {
  let all: Variables = {};
  for (const path of paths) all = { ...all, ...readEnvFile(path, await envBytes(path)) };
  return all;
};

const envBytes = async (path: string): Promise<Uint8Array> => {
  try {
    return await host.files.readBeside(path, MOST_BYTES);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const problem = error.code === "ENOENT" ? "no such file" : `cannot be read: ${error.code}`;
    throw new EnvFileError(`${path}: ${problem}`, { cause: error });
  }
};

/** The parameters of a service with the variables of its env files, which its own `env` replaces. Throws EnvFileError. */
export const completeParams = async ({ run, envFiles }: ServiceConfig): Promise<RunParams> => {
  if (envFiles.length === 0) return run;
  return { ...run, env: { ...(await loadEnvFiles(envFiles)), ...run.env } };
};
