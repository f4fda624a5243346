// A WebSocket server that crank can replace without losing a message: it serves on the inherited socket,
// reports when it is ready, and on a stop signal asks its clients to reconnect, one after the other.
// Plain HTTP is answered too. It runs on Bun, and on a Node that runs TypeScript (23.6 or later).
//
//   crank -bind :8080 -name chat &
//   crankctl -name chat run -wait -instances 3 -- bun examples/websocket-server/server.ts
import { readFileSync, writeSync } from "node:fs";
import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { createServer } from "node:net";
import { Connection } from "./connection.ts";
import { GOING_AWAY } from "./frames.ts";

/** The first socket from crank; and the length of its queue, which the last call of listen(2) sets. */
const SOCKET_FD = 3;
const BACKLOG = 4096;

/** How often the number of connections is printed, if it has changed, ms. */
const REPORT_MS = 100;

/** The settings that a deploy changes: a file named by SETTINGS, or the environment. */
type Settings = { readonly version: string; readonly drainMs: number };
const settings: Settings = {
  version: process.env.VERSION ?? "1",
  drainMs: Number(process.env.DRAIN_MS ?? 3_000),
  ...(process.env.SETTINGS ? JSON.parse(readFileSync(process.env.SETTINGS, "utf8")) : {}),
};

const identity = JSON.stringify({ version: settings.version, pid: process.pid });
const connections = new Set<Connection>();
let isDraining = false;

const answer = (response: ServerResponse): void => {
  const body = `${identity}\n`;
  const headers = { "content-type": "application/json", "content-length": body.length, connection: "close" };
  response.writeHead(200, headers).end(body);
};

const web = createHttpServer((_, response) => answer(response));
web.on("upgrade", (request, socket, head) => {
  const connection = new Connection(request, socket, head, {
    message: (from, text) => from.send(`${identity} ${text}`),
    gone: () => connections.delete(connection),
  });
  connections.add(connection);
  connection.send(identity);
  // Accepted just before the drain began: it gets its greeting, and leaves with the others.
  if (isDraining) connection.close(GOING_AWAY);
});

// Under Bun 1.4, an HTTP server that should listen on a descriptor listens somewhere else, without an error; a plain
// server works. Both work on Node.
const door = createServer((socket) => {
  web.emit("connection", socket);
});

/** Asks one client after the other to leave, over the whole drain time: all reconnect to other workers. */
const drain = (): void => {
  isDraining = true;
  door.close(() => {
    report();
    process.exit(0);
  });
  const waiting = [...connections];
  waiting.forEach((connection, index) => {
    setTimeout(() => connection.close(GOING_AWAY), (settings.drainMs * index) / waiting.length);
  });
};

const ready = (): void => {
  const descriptor = process.env.NOTIFY_FD;
  if (descriptor !== undefined) writeSync(Number(descriptor), "READY=1");
};

let reported = -1;
const report = (): void => {
  if (connections.size === reported) return;
  reported = connections.size;
  console.log(JSON.stringify({ connections: reported }));
};

process.once("SIGTERM", drain);
setInterval(report, REPORT_MS).unref();
if (process.env.LISTEN_FDS === undefined) door.listen(Number(process.env.PORT ?? 8080), ready);
// Node ignores a backlog beside `fd`. As an argument it works, but the types lack that call.
else Reflect.apply(door.listen, door, [{ fd: SOCKET_FD }, BACKLOG, ready]);
