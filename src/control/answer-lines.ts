// Lines from the other end of a control connection, of bounded length.
import { LIMITS } from "../keeper/protocol.ts";

/** The keeper's limit for a connection, so no line of a crank is longer. */
export const MOST_LINE_BYTES = LIMITS.connectionOutputBytes;
const NEWLINE = "\n";

/** Splits received bytes into lines. */
export class AnswerLines {
  readonly #decoder = new TextDecoder();
  #text = "";

  /** The lines that these bytes complete, without their newlines; null: a line is too long. */
  take(bytes: Uint8Array): readonly string[] | null {
    const lines = (this.#text + this.#decoder.decode(bytes, { stream: true })).split(NEWLINE);
    this.#text = lines.pop() ?? "";
    return this.#text.length > MOST_LINE_BYTES ? null : lines;
  }
}
