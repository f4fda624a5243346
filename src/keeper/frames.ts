// Frames to bytes and back, driven by the tables in protocol.ts: what the supervisor sends and hears, and (for the
// simulated keeper and the tests) the same seen from the keeper's side. Written to be quick in an interpreter.
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

/** The bytes of commands, one frame after the other, in an array of their own. Throws FrameError for what has no place in a frame. */
export const encodeCommands = (commands: readonly SentCommand[]): Uint8Array => encodeAll(commandsByKind, commands);
/**
 * A batch, its commit last, as bytes that the keeper takes: one that is larger than LIMITS.batchBytes is cut between two
 * commands. Each part but the last ends with a commit of `consumedBefore`, the event that the batch before this one
 * consumed, so that the event of this batch counts as consumed when all of it is there. Throws FrameError.
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

/** Turns what arrives, however it is split, into whole frames. */
export class FrameDecoder<Decoded> {
  readonly #plans: readonly (Plan | undefined)[];
  /** The start of a frame whose rest is not there yet: `#length` bytes of it. */
  #partial: Uint8Array = NOTHING;
  #length = 0;

  constructor(plans: readonly (Plan | undefined)[]) {
    this.#plans = plans;
  }

  /** Bytes held of a frame that is not complete. */
  get held(): number {
    return this.#length;
  }

  /** All frames that are complete with these bytes, in order. Throws FrameError; nothing can be read after that. */
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

  /** Adds to the held frame only what it lacks, so that no more than one frame is ever held; returns what is left. */
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

  /** How many bytes have to be held before something can be done: the length, then the whole frame. */
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

  /** Reads the frames that lie whole in `bytes`; returns how far. */
  #readWhole(bytes: Uint8Array, decoded: Decoded[]): number {
    const view = viewOf(bytes);
    const plans = this.#plans;
    const { length } = bytes;
    readFrom(bytes, view);
    let start = 0;
    while (length - start >= HEADER_BYTES) {
      const end = start + HEADER_BYTES + checkedLength(view.getUint32(start, true));
      if (end > length) break;
      // The plan is made of the table that the union is derived from.
      decoded.push(readFrame(plans, start + HEADER_BYTES, end) as unknown as Decoded);
      start = end;
    }
    return start;
  }
}

/** Reads what the keeper sends. */
export class MessageDecoder extends FrameDecoder<Message> {
  constructor() {
    super(messagesByCode);
  }
}

/** Reads what a supervisor sends. */
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
