// Where the program is: in the package for this machine, which npm installs beside this one or below it.

const { dirname, join } = require("node:path");

const name = `crank-linux-${process.arch}`;

/** The program's path. Throws an Error that says what to do if its package is not installed. */
exports.programPath = () => {
  try {
    return join(dirname(require.resolve(`${name}/package.json`)), "bin/crank");
  } catch (cause) {
    const why = `the package ${name} is not installed. Install crank without --omit=optional, on linux for x64 or arm64.`;
    throw new Error(why, { cause });
  }
};
