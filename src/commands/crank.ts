// crank: the supervisor, as crank's own command line wants it. The keeper starts it under that name.
import { superviseAs } from "../supervisor/main.ts";
import { CRANK } from "./crank-front-end.ts";

await superviseAs(CRANK);
