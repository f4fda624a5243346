// A worker in TypeScript that crank can replace, with crank's own library: HTTP and WebSockets, whose clients move to
// the next worker one after the other. It runs on Bun, on Deno, and on a Node that runs TypeScript (22.18 or later); npm
// install ws.
//
//   crank -bind :8080 -name web &
//   crankctl -name web run -wait -stop 60 -- bun examples/workers/worker.ts hello
import { createServer } from "node:http";
import process from "node:process";
import { drain, listen, onStop, ready, status } from "crank/worker";
import { WebSocketServer } from "ws";

const words = process.argv.slice(2).join(" ");
const identity = `${words} from ${process.pid}`;

const server = createServer((_, response) => response.end(`${identity}\n`));
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => {
  socket.send(identity);
  socket.on("message", (text) => socket.send(`${identity}: ${text}`));
});

// All requests are answered; connected clients are asked to leave within 20 seconds, and reconnect to the next worker.
onStop(() => drain(sockets, { spreadMs: 20_000 }));

// Without crank, on its own port.
await listen(server, { port: Number(process.env.PORT ?? 8080) });
status(`serving ${words}`);
ready();
