// A server of any kind that uses crank/worker, for Node, Bun and Deno. Its argument selects the kind; VERSION is in every
// answer; DRAIN holds the drain's options as JSON. A request for /until/PATH is answered in two parts, the second one when
// that file exists.
import { existsSync, readFileSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import * as net from "node:net";
import process from "node:process";
import * as tls from "node:tls";
import { drain, listen, onStop, ready, status } from "crank/worker";

const [kind] = process.argv.slice(2);
const { VERSION: version, DRAIN = "{}" } = process.env;
const pem = readFileSync(new URL("localhost.pem", import.meta.url));
const identity = { key: pem, cert: pem };

const answer = async (request, response) => {
  if (!request.url.startsWith("/until/")) return response.end(`${version}\n`);
  response.write("first part, ");
  while (!existsSync(request.url.slice("/until".length))) await new Promise((wake) => setTimeout(wake, 10));
  return response.end(`${version}\n`);
};

/** Echoes its input. */
const echo = (socket) => {
  socket.on("error", () => {});
  socket.on("data", (bytes) => socket.write(`${version} ${bytes}`));
  socket.write("hello\n");
};

const webSockets = async () => {
  const { WebSocketServer } = await import("ws");
  const server = http.createServer(answer);
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    socket.on("message", (text) => socket.send(`${version} ${text}`));
    socket.send("hello");
  });
  return { server, toDrain: sockets };
};

const servers = {
  http: () => http.createServer(answer),
  https: () => https.createServer(identity, answer),
  http2: () => http2.createServer(answer),
  "http2 over TLS": () => http2.createSecureServer({ ...identity, allowHTTP1: true }, answer),
  net: () => net.createServer(echo),
  tls: () => tls.createServer(identity, echo),
  ws: webSockets,
};

const made = await servers[kind]();
const { server, toDrain } = "toDrain" in made ? made : { server: made, toDrain: made };
const tell = (socket) => socket.end("bye\n");

onStop(async ({ signal, budgetMs }) => {
  console.log(`told to stop by ${signal}, with ${budgetMs} ms`);
  const { clients, cut } = await drain(toDrain, { tell, ...JSON.parse(DRAIN) });
  console.log(`drained: ${clients} clients, ${cut} cut off`);
});
const address = await listen(server, {
  ...(kind === "https" && { tls: identity }),
  port: Number(process.env.PORT ?? 0),
});
console.log(`listening on ${JSON.stringify(address)}, notify descriptor ${process.env.NOTIFY_FD ?? "taken"}`);
status(`serving ${version}`);
ready();
