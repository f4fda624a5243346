// HTTP servers under Bun: they are no servers of node:net, and cannot listen on a descriptor. A plain server accepts for them.
import { Server as HttpServer } from "node:http";
import { Server as HttpsServer } from "node:https";
import { Server } from "node:net";
import process from "node:process";
import type { TlsOptions } from "node:tls";
import { doorTo } from "../listen.ts";
import { watch, watchedServer } from "../watch.ts";

/** The prototypes with a listen() of their own, beside that of node:net. None on Node. */
export const httpPrototypes = (): readonly Server[] => {
  // They have the same listen(), which is all that is replaced.
  const all = [HttpServer.prototype, HttpsServer.prototype] as readonly Server[];
  return all.filter((prototype) => !(prototype instanceof Server) && Object.hasOwn(prototype, "listen"));
};

/** The server that accepts for this one. To the application, they are one. */
export const doorFor = (server: Server): Server => {
  const door = doorTo(server, tlsOf(server));
  watch(server);
  watchedServer(server).door = door;
  server.close = (callback) => {
    door.close(callback);
    return server;
  };
  server.address = () => door.address();
  Object.defineProperty(server, "listening", { get: () => door.listening, configurable: true });
  door.on("error", (error) => server.emit("error", error));
  door.once("close", () => server.emit("close"));
  door.once("listening", () => server.emit("listening"));
  return door;
};

/** Bun keeps what an https server was made with under a symbol. */
const tlsOf = (server: Server): TlsOptions | undefined => {
  const key = Object.getOwnPropertySymbols(server).find(({ description }) => description === "tls");
  const found: unknown = key && Reflect.get(server, key);
  // It is Bun's own, with the members of TlsOptions; doorTo() refuses an https server without it.
  return typeof found === "object" && found !== null ? (found as TlsOptions) : undefined;
};

type BunApi = { serve: (...args: readonly unknown[]) => unknown };

/** Bun.serve() cannot listen on a descriptor: that is said, when it is called. */
export const warnOfServe = (say: (text: string) => void): void => {
  if (process.versions.bun === undefined) return;
  // Bun's global, of which only this function is used; there are no types of it where Node's are.
  const { Bun: bun } = globalThis as unknown as { readonly Bun: BunApi };
  const { serve } = bun;
  bun.serve = (...args) => {
    say("Bun.serve() cannot listen on crank's sockets: use node:http, or a framework that does");
    return Reflect.apply(serve, bun, args);
  };
};
