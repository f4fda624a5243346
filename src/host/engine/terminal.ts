// The terminal on the engine's host calls.
import type { InputHandlers, Terminal } from "../terminal.ts";
import { calls, checked, EAGAIN, EINTR } from "./calls.ts";
import { addWatch, READABLE, removeWatch, type Watch } from "./loop.ts";
import { EngineTextDecoder } from "./text.ts";

const STDIN = 0;
const INPUT_BYTES = 64 * 1024;

const read = (handlers: InputHandlers): (() => void) => {
  const room = new Uint8Array(INPUT_BYTES);
  const decoder = new EngineTextDecoder();
  const stop = (): void => removeWatch(watch);
  const ready = (): void => {
    const count = calls.read(STDIN, room, 0, room.length, -1);
    if (count === EAGAIN || count === EINTR) return;
    if (count > 0) return handlers.typed(decoder.decode(room.subarray(0, count), { stream: true }));
    stop();
    handlers.ended();
  };
  const watch: Watch = { fd: STDIN, events: READABLE, holds: true, ready };
  addWatch(watch);
  return stop;
};

export const engineTerminal: Terminal = {
  isTerminal: (fd) => calls.isTerminal(fd),
  size: (fd) => {
    const size = calls.terminalSize(fd);
    return typeof size === "number" ? null : { columns: size[0], rows: size[1] };
  },
  setRaw: (isRaw) => {
    checked(calls.setRaw(STDIN, isRaw === "raw"), "tcsetattr");
  },
  undoScreen: (text) => {
    checked(calls.undoScreen(text), "undoScreen");
  },
  read,
};
