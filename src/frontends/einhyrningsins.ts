// einhyrningsins: the supervisor, as einhyrningsins' command line wants it. The keeper starts it under that name.
import { superviseAs } from "../supervisor/main.ts";
import { EINHYRNINGSINS } from "./einhyrningsins/front-end.ts";

await superviseAs(EINHYRNINGSINS);
