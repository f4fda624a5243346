// socketmaster: the supervisor, as socketmaster's command line wants it. The keeper starts it under that name.
import { superviseAs } from "../supervisor/main.ts";
import { SOCKETMASTER } from "./socketmaster/front-end.ts";

await superviseAs(SOCKETMASTER);
