// crank as a front end of the supervisor: its command line, its signals, and how its log reads.
import { describeNote } from "../core/describe.ts";
import { reload, shutDown } from "../supervisor/actions.ts";
import type { FrontEnd, LogEntry } from "../supervisor/front-end.ts";
import { goTime, printable } from "../supervisor/log.ts";
import { crankInvocation } from "./crank-invocation.ts";

const MARKS = { error: "ERROR: ", warning: "WARNING: ", info: "", debug: "" } as const;

const logLine = ({ level, message, wallMs }: LogEntry): string =>
  `${goTime(wallMs)} [manager] ${MARKS[level]}${printable(message)}`;

export const CRANK: FrontEnd = {
  parse: crankInvocation,
  signals: { SIGHUP: reload, SIGTERM: shutDown, SIGINT: shutDown, SIGQUIT: shutDown },
  dialect: async () => (await import("../supervisor/acknowledgement.ts")).acknowledgements,
  describe: (_memory, note) => describeNote(note),
  logLine: (_memory, entry) => logLine(entry),
};
