// Tries all that crank/worker does with descriptors, in a process that they may not have been passed to, and says what came of
// it, for Node, Bun and Deno.
import { createServer, Socket } from "node:net";
import { handOver, listen, notify, ready, sockets, status, takeOver } from "crank/worker";

const attempts = {
  sockets: () => sockets(),
  socketsWithPort: () => sockets(0, { port: 0 }),
  listen: () => listen(createServer(), { port: 0, host: "127.0.0.1" }),
  ready: () => ready(),
  status: () => status("busy"),
  notify: () => notify("WATCHDOG=1"),
  takeOver: () => takeOver(),
  handOver: () => handOver(new Socket()),
};
const results = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    results[name] = { did: (await attempt()) ?? null };
  } catch (error) {
    results[name] = { threw: error.message };
  }
}
console.log(JSON.stringify(results));
process.exit(0);
