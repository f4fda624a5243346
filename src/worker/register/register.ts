// `node --import crank/register server.js`: an application that knows nothing of crank listens on crank's sockets, reports
// READY=1 and drains. Without crank, in a worker thread, and in a process that the sockets were not passed to, nothing is changed.
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { workerEnvironment } from "../environment.ts";
import { replaceListen, warnForeign } from "./listen.ts";
import { registerSettings } from "./settings.ts";

// A worker thread has the main thread's descriptors, and a copy of its environment.
if (isMainThread) {
  // In the children of a process with this module they are not named any more.
  const areNamed = process.env.LISTEN_PID !== undefined || process.env.NOTIFY_FD !== undefined;
  const { sockets, whyForeign } = workerEnvironment();
  if (areNamed && whyForeign !== "") warnForeign(whyForeign);
  else if (sockets.length > 0) replaceListen(sockets, registerSettings());
}
