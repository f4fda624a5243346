// The Python workers of test/apps, as commands.
import { join } from "node:path";
import { ROOT } from "./bench.ts";

const python = (name: string): readonly string[] => ["python3", join(ROOT, "test/apps", `${name}.py`)];

/** The same as RESPONDER of apps.ts, as an interpreted program. */
export const RESPONDER_IN_PYTHON = python("responder");
/** Does what HTTP requests ask for. */
export const TALKER = python("talker");
/** A web server without any support for crank. */
export const WEB_SERVER = python("web");
/** Accepts connections and holds them. */
export const HOLDER = python("holder");
/** Leaves its connections to its successor. */
export const HANDOVER = python("handover");
/** Runs a command for which the kernel refuses some system calls. */
export const REFUSE_SYSCALLS = python("refuse_syscalls");
