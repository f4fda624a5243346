// Closes a WebSocket of which only its connection is known: the application's WebSocket server is not.
import type { Socket } from "node:net";
import type { Manners } from "../clients.ts";
import type { WebSocketLike } from "../websockets.ts";

/** RFC 6455, 5.5.1: the final frame of the opcode for closing, unmasked, with at most 125 bytes. */
const CLOSE = 0x88;
const MOST_BYTES = 125;
const CODE_BYTES = 2;

/** Asks the client to leave with a close frame; it is cut off if it has not left within the grace time. */
export const closeWebSocket = (socket: Socket, manners: Pick<Manners, "closeCode" | "reason" | "graceMs">): void => {
  const { closeCode, reason, graceMs } = manners;
  const timer = setTimeout(() => socket.destroy(), graceMs);
  socket.once("close", () => clearTimeout(timer));
  const webSocket = webSocketOf(socket);
  if (webSocket) webSocket.close(closeCode, reason);
  else socket.write(closeFrame(closeCode, reason));
};

/** `ws` notes its object at the connection. Through it, the application sees the close, and sends nothing more. */
const webSocketOf = (socket: Socket): WebSocketLike | null => {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === "websocket");
  const found: unknown = key && Reflect.get(socket, key);
  const isOne = typeof found === "object" && found !== null && "close" in found && typeof found.close === "function";
  // It has a close function, which is all that is used.
  return isOne ? (found as WebSocketLike) : null;
};

/** Other servers write whole frames too, so it comes between two of them. Control frames may interrupt a message. */
const closeFrame = (code: number, reason: string): Buffer => {
  const text = Buffer.from(reason).subarray(0, MOST_BYTES - CODE_BYTES);
  const head = Buffer.from([CLOSE, CODE_BYTES + text.length, code >> 8, code & 0xff]);
  return Buffer.concat([head, text]);
};
