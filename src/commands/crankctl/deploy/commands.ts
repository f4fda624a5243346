// crankctl run, reload and rollback.
import { callerDirectory } from "../../caller-directory.ts";
import { loadEnvFiles } from "../../config/load.ts";
import { EnvFileError } from "../../env-file.ts";
import { absolute, RUN_FLAGS, runParams } from "../../run-flags.ts";
import { escapeControls } from "../../terminal.ts";
import { command, refuseOperands } from "../command.ts";
import { deploy } from "./deploy.ts";
import { deployDirectly } from "./direct-command.ts";

const WRONG_USAGE = 2;

const WAIT = { kind: "switch", help: RUN_FLAGS.wait.help } as const;

export const run = command({
  name: "run",
  summary: "deploy a command, or the last one again",
  usage: "[flags] [--] [COMMAND ARG...]",
  about: [
    "Starts COMMAND as the next generation. When its workers are available, the old ones are stopped; if one fails, the old ones keep running. The command and every flag that is not given are those of the last successful run; the values in parentheses are the defaults of the first one.",
    "A COMMAND that does not pass the sockets on, such as npm start, is refused, with what to run instead; where the script is a plain node command, that is run. With -sockets-optional it stays as it is.",
    "Without -wait, it returns when the rollout has begun. SEC is a number of seconds, or has a unit: 0.5, 300ms, 5m, 4h, 7d. MB is a number of megabytes, or has a unit: 512M, 2G.",
  ],
  examples: [
    "crankctl run -wait -- node server.js",
    "crankctl run -wait -instances 4 -surge 2 -stop 5m -- ./server -v",
    "crankctl run -wait -ready http:/healthz -env MODE=production -- ./server",
    "crankctl run -wait -stop 60",
  ],
  flags: RUN_FLAGS,
  placement: "first",
  operands: "command",
  prepare: (flags, operands) => {
    const params = runParams(flags, operands, callerDirectory);
    const files = (flags["env-file"] ?? []).map((path) => absolute(path, callerDirectory));
    return async (session) => {
      try {
        const variables = files.length === 0 ? {} : { env: { ...(await loadEnvFiles(files)), ...params.env } };
        return await deployDirectly({ ...params, ...variables })(session);
      } catch (error) {
        if (!(error instanceof EnvFileError)) throw error;
        session.err.write(`crankctl run: ${escapeControls(error.message)}\n`);
        return WRONG_USAGE;
      }
    };
  },
});

export const reload = command({
  name: "reload",
  summary: "replace the workers with new ones of the same command",
  usage: "[flags]",
  about: ["Rolls out the current run again, like SIGHUP to crank."],
  examples: ["crankctl reload -wait", "crankctl reload -name web"],
  flags: { wait: WAIT },
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands);
    return deploy("reload", flags.wait === true ? { wait: true } : {});
  },
});

export const rollback = command({
  name: "rollback",
  summary: "go back to an earlier generation",
  usage: "[-to N] [flags]",
  about: ["Rolls out an earlier good run as a new generation; crankctl history lists them."],
  examples: ["crankctl rollback -wait", "crankctl rollback -to 12 -wait"],
  flags: {
    to: { kind: "whole", argument: "N", min: 1, help: "the generation to go back to (the one before the current)" },
    wait: WAIT,
  },
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands, "-to");
    return deploy("rollback", {
      ...(flags.to === undefined ? {} : { to: flags.to }),
      ...(flags.wait === true ? { wait: true } : {}),
    });
  },
});
