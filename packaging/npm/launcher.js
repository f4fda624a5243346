#!/usr/bin/env node
// Stands in for the program until install.js has put the program here: starts it under the name of this file.

const { spawn } = require("node:child_process");
const { basename, join, dirname } = require("node:path");
const { constants } = require("node:os");

const name = basename(__filename);
const args = process.argv.slice(2);

const start = (path) => {
  // Node.js 22.15 and later become the program; an earlier one stays in front of it and passes on signals.
  if (process.execve !== undefined) process.execve(path, [name, ...args], process.env);
  const child = spawn(path, args, { argv0: name, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT"])
    process.on(signal, () => child.kill(signal));
  child.on("error", (error) => complain(error.message));
  child.on("exit", (status, signal) => process.exit(status ?? 128 + constants.signals[signal]));
};

const complain = (why) => {
  process.stderr.write(`${name}: ${why}\n`);
  process.exit(1);
};

try {
  start(require(join(dirname(__filename), "../find.js")).programPath());
} catch (error) {
  complain(error.message);
}
