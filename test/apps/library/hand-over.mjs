// A server that tries to hand over a connection of crank/worker at its client's request, for Node and Bun: "hand", "badly"
// (with an invalid name), "secret" (with TLS), "flood" (after 32 MiB that the client does not read), "paused" (with
// received data that the stream has not delivered). It echoes every other line.
import { createServer } from "node:net";
import { TLSSocket } from "node:tls";
import { handOver, listen, ready, takeOver } from "crank/worker";

const FLOOD = 32 * 1024 * 1024;

const words = {
  hand: (socket) => handOver(socket),
  badly: (socket) => handOver(socket, { name: "a:b" }),
  secret: (socket) => handOver(new TLSSocket(socket)),
  flood: (socket) => {
    socket.write(Buffer.alloc(FLOOD, "."));
    return handOver(socket, { graceMs: 200 });
  },
  paused: async (socket) => {
    socket.pause();
    socket.write("paused\n");
    while (socket.readableLength === 0) await new Promise((wake) => setTimeout(wake, 5));
    const handed = await handOver(socket, { graceMs: 200 });
    socket.resume();
    return handed;
  },
};

const serve = (socket) => {
  socket.on("error", () => {});
  socket.on("data", async (bytes) => {
    for (const line of String(bytes).trim().split("\n")) {
      const result = words[line] ? await words[line](socket).catch((error) => error.message) : line;
      console.log(`${line}: ${result}`);
      if (!socket.destroyed) socket.write(`${line}: ${result}\n`);
    }
  });
};

await listen(createServer(serve), { port: Number(process.env.PORT ?? 0) });
ready();
for (const { socket, name } of [...takeOver(), ...takeOver()]) {
  serve(socket);
  socket.write(`taken over as ${name}\n`);
}
