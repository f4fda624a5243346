// A server of any kind that does not know crank, for crank/register. Its argument selects the kind; VERSION is in every answer.
// A request for /until/PATH is answered in two parts, the second one when that file exists.
import { existsSync, readFileSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import * as net from "node:net";
import * as tls from "node:tls";

const [kind] = process.argv.slice(2);
const { VERSION: version, PEM } = process.env;
const PORT = 3000;

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

const identity = () => {
  const pem = readFileSync(PEM);
  return { key: pem, cert: pem };
};

const webSockets = async () => {
  const { WebSocketServer } = await import("ws");
  new WebSocketServer({ port: PORT }).on("connection", (socket) => {
    socket.on("message", (text) => socket.send(`${version} ${text}`));
    socket.send("hello");
  });
};

/** The handshake of RFC 6455 by hand, and a text frame. */
const ownWebSockets = async () => {
  const { createHash } = await import("node:crypto");
  const server = http.createServer(answer);
  server.on("upgrade", ({ headers }, socket) => {
    const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    const head = ["HTTP/1.1 101 Switching", "Upgrade: websocket", "Connection: Upgrade"];
    socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join("\r\n")}\r\n\r\n`);
    socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from("hello")]));
    socket.on("data", () => socket.end());
  });
  server.listen(PORT);
};

const kinds = {
  http: () => http.createServer(answer).listen(PORT),
  https: () => https.createServer(identity(), answer).listen(PORT, "0.0.0.0"),
  http2: () => http2.createServer(answer).listen({ port: PORT, exclusive: true }),
  "http2 over TLS": () => http2.createSecureServer({ ...identity(), allowHTTP1: true }, answer).listen(`${PORT}`),
  net: () => net.createServer(echo).listen(PORT, "localhost", 5),
  tls: () => tls.createServer(identity(), echo).listen(PORT),
  ws: webSockets,
  "own WebSockets": ownWebSockets,
};

await kinds[kind]();
