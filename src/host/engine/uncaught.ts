// Uncaught exceptions, and rejections without a handler.
import { calls } from "./calls.ts";
import { encodeText } from "./text.ts";

let handler: ((error: unknown) => void) | null = null;

export const onUncaught = (wanted: (error: unknown) => void): void => {
  handler = wanted;
};

/** Called by the engine. If the handler returns, the process goes on. */
export const uncaught = (error: unknown): void => {
  if (handler !== null) return handler(error);
  const text = error instanceof Error ? `${error}\n${error.stack ?? ""}\n` : `Uncaught ${String(error)}\n`;
  const bytes = encodeText(text);
  calls.write(2, bytes, 0, bytes.length, -1);
  calls.exit(1);
};
