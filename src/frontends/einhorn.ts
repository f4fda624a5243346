// einhorn: the supervisor, as einhorn's command line wants it. The keeper starts it under that name.
import { superviseAs } from "../supervisor/main.ts";
import { EINHORN } from "./einhorn/front-end.ts";

await superviseAs(EINHORN);
