// An echo server whose connections survive its deploys: it sends back all data.
//
//   crank -bind :7000 -name echo &
//   crankctl -name echo run -wait -hand-over -- node examples/hand-over/server.mjs
//   bun examples/hand-over/client.ts 127.0.0.1:7000 1073741824 &
//   crankctl -name echo reload -wait      # as often as you like
import { createServer } from "node:net";
import { handOver, listen, onStop, ready, takeOver } from "crank/worker";

const connections = new Set();

const serve = (socket) => {
  connections.add(socket);
  socket.on("close", () => connections.delete(socket));
  socket.on("error", () => {});
  socket.pipe(socket);
};

const server = createServer({ noDelay: true }, serve);
const left = takeOver();
await listen(server, { port: 7000 });

onStop(async () => {
  server.close();
  const sockets = [...connections];
  const handed = await Promise.all(sockets.map((socket) => handOver(socket)));
  for (const [index, socket] of sockets.entries()) if (!handed[index]) socket.end();
  console.log(`gone, ${handed.filter(Boolean).length} of ${sockets.length} connections handed over`);
});

ready();
for (const { socket } of left) serve(socket);
console.log(`serving, ${left.length} connections taken over`);
