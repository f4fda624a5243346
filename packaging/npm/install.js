// Run by npm after the installation: the commands become the program itself, so that no Node.js process stands before it.
// Where this fails or scripts are switched off, the launchers stay, and work.

const { copyFileSync, linkSync, renameSync } = require("node:fs");
const { join } = require("node:path");
const { programPath } = require("./find.js");

const put = (from, to) => {
  const fresh = `${to}.new`;
  try {
    linkSync(from, fresh);
  } catch {
    copyFileSync(from, fresh);
  }
  renameSync(fresh, to);
};

try {
  const program = programPath();
  for (const name of ["crank", "crankctl", "crankx"]) put(program, join(__dirname, "bin", name));
} catch (error) {
  process.stderr.write(`crank: the commands are started through Node.js: ${error.message}\n`);
}
