// crankctl: tells a crank what to do.
import { crankctl } from "./crankctl/main.ts";
import { Output } from "./output.ts";
import { runProgram } from "./program.ts";

await runProgram("crankctl", (args, environment) => crankctl(args, environment, new Output(1), new Output(2)));
