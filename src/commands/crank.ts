// crank: the supervisor, as crank's own command line wants it. The keeper starts it under that name.
import { superviseAs } from "../supervisor/main.ts";
import { crankInvocation } from "./crank-invocation.ts";

await superviseAs({ parse: crankInvocation });
