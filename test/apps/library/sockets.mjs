// Prints which sockets crank/worker finds and what it leaves in the environment, and serves on two of them, for Node, Bun
// and Deno. Without crank it serves on PORT.
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import process from "node:process";
import { listen, ready, sockets } from "crank/worker";

const attempt = (what) => {
  try {
    return what();
  } catch (error) {
    return error.message;
  }
};
const found = {
  all: attempt(() => sockets()),
  second: attempt(() => sockets(1)),
  admin: attempt(() => sockets("admin")),
  other: attempt(() => sockets("other")),
  fallback: attempt(() => sockets("admin", { port: 1 })),
  environment: Object.keys(process.env).filter((name) => /^(LISTEN|NOTIFY|EINHORN_FD)/.test(name)),
};
console.log(JSON.stringify(found));

if (process.argv[2] === "serve") {
  await listen(createServer((socket) => socket.end("main\n")));
  await listen(
    createHttpServer((_, response) => response.end("admin\n")),
    { socket: "admin" },
  );
  ready();
} else if (process.argv[2] === "own port") {
  const server = createHttpServer((_, response) => response.end("own\n"));
  const address = await listen(server, { port: 0, host: "127.0.0.1" });
  console.log(`port ${address.port}, told ${ready()}`);
}
