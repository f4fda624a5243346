// einhyrningsinsctl: tells an einhyrningsins what to do.
import { Output } from "../commands/output.ts";
import { einhyrningsinsctl } from "./einhyrningsinsctl/main.ts";

process.exit(await einhyrningsinsctl(process.argv.slice(2), new Output(1)));
