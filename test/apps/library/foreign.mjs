// Tries all calls of crank/worker that use descriptors, in a process that may not have got them, and prints the results,
// for Node, Bun and Deno.
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
