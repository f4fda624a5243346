// einhyrningsinsctl: tells an einhyrningsins what to do.
import { Output } from "../commands/output.ts";
import { runProgram } from "../commands/program.ts";
import { einhyrningsinsctl } from "./einhyrningsinsctl/main.ts";

await runProgram("einhyrningsinsctl", (args) => einhyrningsinsctl(args, new Output(1)));
