// crankx: crankctl for all services of a prefix, in one process.
import { crankx } from "./crankx/main.ts";
import { Output } from "./output.ts";
import { runProgram } from "./program.ts";

await runProgram("crankx", (args, environment) => crankx(args, environment, new Output(1), new Output(2)));
