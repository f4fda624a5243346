// crankctl: tells a crank what to do.
import { crankctl } from "./crankctl/main.ts";
import { Output } from "./output.ts";
import { runProgram } from "./program.ts";

await runProgram("crankctl", () => crankctl(process.argv.slice(2), process.env, new Output(1), new Output(2)));
