// A server that listens by itself, like a framework's, and is watched by crank/worker, for Node, Bun and Deno. It answers
// when the file of its argument exists.
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";
import { drain, onStop, watch } from "crank/worker";

const [path] = process.argv.slice(2);
const server = createServer(async (_, response) => {
  console.log("asked");
  while (!existsSync(path)) await new Promise((wake) => setTimeout(wake, 10));
  response.end("answer\n");
});
watch(server);
onStop(async () => {
  const drained = drain(server);
  console.log("draining");
  console.log(`${(await drained).clients} drained`);
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
