// Encodes and decodes frames by the tables of protocol.ts: for the supervisor, and for the simulated keeper and the
// tests from the keeper's side. Written for speed in an interpreter.
import { joinBytes } from "../host/bytes.ts";
import {
  commandsByCode,
  commandsByKind,
  FrameError,
  HEADER_BYTES,
  messagesByCode,
  messagesByKind,
  type Plan,
} from "./frame-plans.ts";
import { readFrame, readFrom } from "./frame-reader.ts";
import { encodeAll } from "./frame-writer.ts";
import type { Command, Message, SentCommand } from "./protocol.ts";
import { LIMITS } from "./protocol.ts";

/** The bytes of commands, in order, in a new array. Throws FrameError for a value that does not fit into a frame. */
export const encodeCommands = (commands: readonly SentCommand[]): Uint8Array => encodeAll(commandsByKind, commands);
/**
 * The bytes of a batch, its commit last, in parts that the keeper accepts: a batch above LIMITS.batchBytes is split
 * between two commands. Each part but the last ends with a commit of `consumedBefore`, the event that the previous
 * batch consumed, so that this batch's event counts as consumed only when all parts have arrived. Throws FrameError.
 */
export const encodeBatch = (commands: readonly SentCommand[], consumedBefore: number): readonly Uint8Array[] => {
  const bytes = encodeCommands(commands);
  return bytes.length <= LIMITS.batchBytes ? [bytes] : cutBatch(bytes, consumedBefore);
};

const cutBatch = (bytes: Uint8Array, consumed: number): readonly Uint8Array[] => {
  const view = viewOf(bytes);
  const commit = encodeCommand({ kind: "commit", consumed, tickAt: 0 });
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEADER_BYTES + view.getUint32(at, true);
    // The last frame is the commit, which the keeper does not count.
    if (end - start > LIMITS.batchBytes && end < bytes.length) {
      parts.push(joinBytes([bytes.subarray(start, at), commit]));
      start = at;
    }
    at = end;
  }
  return [...parts, bytes.subarray(start)];
};

/** The bytes of one command. */
export const encodeCommand = (command: SentCommand): Uint8Array => encodeAll(commandsByKind, [command]);
/** The bytes of messages, as a keeper sends them. */
export const encodeMessages = (messages: readonly Message[]): Uint8Array => encodeAll(messagesByKind, messages);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const NOTHING = new Uint8Array(0);

/** Assembles whole frames from bytes that arrive in any pieces. */
export class FrameDecoder<Decoded> {
  readonly #plans: readonly (Plan | undefined)[];
  /** The first `#length` bytes of an incomplete frame. */
  #partial: Uint8Array = NOTHING;
  #length = 0;

  constructor(plans: readonly (Plan | undefined)[]) {
    this.#plans = plans;
  }

  /** The number of bytes held of an incomplete frame. */
  get held(): number {
    return this.#length;
  }

  /** All frames that these bytes complete, in order. Throws FrameError; the decoder cannot be used after that. */
  push(bytes: Uint8Array): readonly Decoded[] {
    const decoded: Decoded[] = [];
    let rest = bytes;
    while (this.#length > 0 && rest.length > 0) {
      rest = this.#complete(rest, decoded);
    }
    const used = this.#readWhole(rest, decoded);
    if (used < rest.length) this.#hold(rest.subarray(used));
    return decoded;
  }

  /** Adds to the held frame only what it lacks, so that at most one frame is held. Returns the rest. */
  #complete(bytes: Uint8Array, decoded: Decoded[]): Uint8Array {
    const lacks = this.#wanted() - this.#length;
    const taken = bytes.subarray(0, lacks);
    this.#hold(taken);
    if (this.#length === this.#wanted()) {
      this.#readWhole(this.#partial.subarray(0, this.#length), decoded);
      this.#length = 0;
      this.#partial = NOTHING;
    }
    return bytes.subarray(taken.length);
  }

  /** How many bytes must be held for the next step: the length field, then the whole frame. */
  #wanted(): number {
    if (this.#length < HEADER_BYTES) return HEADER_BYTES;
    return HEADER_BYTES + checkedLength(viewOf(this.#partial).getUint32(0, true));
  }

  #hold(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(Math.max(needed, this.#partial.length * 2));
      grown.set(this.#partial.subarray(0, this.#length));
      this.#partial = grown;
    }
    this.#partial.set(bytes, this.#length);
    this.#length = needed;
  }

  /** Reads the frames that are complete in `bytes`. Returns where they end. */
  #readWhole(bytes: Uint8Array, decoded: Decoded[]): number {
    const view = viewOf(bytes);
    const plans = this.#plans;
    const { length } = bytes;
    readFrom(bytes, view);
    let start = 0;
    while (length - start >= HEADER_BYTES) {
      const end = start + HEADER_BYTES + checkedLength(view.getUint32(start, true));
      if (end > length) break;
      // The plan is made from the table that the union is derived from.
      decoded.push(readFrame(plans, start + HEADER_BYTES, end) as unknown as Decoded);
      start = end;
    }
    return start;
  }
}

/** Decodes messages of the keeper. */
export class MessageDecoder extends FrameDecoder<Message> {
  constructor() {
    super(messagesByCode);
  }
}

/** Decodes commands of a supervisor. */
export class CommandDecoder extends FrameDecoder<Command> {
  constructor() {
    super(commandsByCode);
  }
}

const checkedLength = (length: number): number => {
  if (length < 1) throw new FrameError("tooShort", "a frame without a code");
  if (length > LIMITS.frameBytes)
    throw new FrameError("tooLong", `a frame of ${length} bytes, more than the ${LIMITS.frameBytes} that one may have`);
  return length;
};
