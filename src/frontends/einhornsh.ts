// einhornsh: tells an einhorn what to do.
import { Output } from "../commands/output.ts";
import { runProgram } from "../commands/program.ts";
import { einhornsh } from "./einhornsh/main.ts";

await runProgram("einhornsh", (args, environment) =>
  einhornsh(args, environment, { out: new Output(1), err: new Output(2) }),
);
