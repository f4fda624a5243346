// WebSocket frames (RFC 6455, section 5), only what an example needs: text, ping, pong and close, each in one frame.
import { randomBytes } from "node:crypto";

export const OPCODES = { text: 1, close: 8, ping: 9, pong: 10 } as const;
export type Opcode = (typeof OPCODES)[keyof typeof OPCODES];
export type WebSocketFrame = { readonly opcode: number; readonly payload: Buffer };

/** The close code of an endpoint that goes away, such as a replaced server (RFC 6455, 7.4.1). */
export const GOING_AWAY = 1001;

/** This example does not support longer messages. */
const MAX_PAYLOAD_BYTES = 65_535;

/** A frame from the server. */
export const serverFrame = (opcode: Opcode, payload: string | Buffer): Buffer => {
  const bytes = Buffer.from(payload);
  return Buffer.concat([header(opcode, bytes.length, 0), bytes]);
};

/** A frame from the client: masked, so that no proxy misinterprets its content (RFC 6455, 5.3). */
export const clientFrame = (opcode: Opcode, payload: string | Buffer): Buffer => {
  const mask = randomBytes(4);
  const bytes = Buffer.from(payload);
  return Buffer.concat([header(opcode, bytes.length, 0x80), mask, unmask(bytes, mask)]);
};

/** The payload of a close frame: its code. */
export const closePayload = (code: number): Buffer => Buffer.from([code >> 8, code & 0xff]);

/** Divides received bytes into frames; an incomplete frame waits for the rest. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Throws a RangeError for a frame that is too long for this example. */
  push(piece: Buffer): readonly WebSocketFrame[] {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const frames: WebSocketFrame[] = [];
    for (;;) {
      const cut = firstFrame(this.#rest);
      if (cut === null) return frames;
      frames.push(cut.frame);
      this.#rest = this.#rest.subarray(cut.length);
    }
  }
}

const firstFrame = (bytes: Buffer): { readonly frame: WebSocketFrame; readonly length: number } | null => {
  if (bytes.length < 2) return null;
  const short = bytes.readUInt8(1) & 0x7f;
  if (short === 127) throw new RangeError(`a message longer than ${MAX_PAYLOAD_BYTES} bytes`);
  const lengthBytes = short === 126 ? 2 : 0;
  const maskBytes = bytes.readUInt8(1) & 0x80 ? 4 : 0;
  const start = 2 + lengthBytes + maskBytes;
  if (bytes.length < start) return null;
  const length = start + (short === 126 ? bytes.readUInt16BE(2) : short);
  if (bytes.length < length) return null;
  const body = bytes.subarray(start, length);
  const payload = maskBytes === 0 ? body : unmask(body, bytes.subarray(start - 4, start));
  return { frame: { opcode: bytes.readUInt8(0) & 0x0f, payload }, length };
};

const header = (opcode: Opcode, length: number, maskBit: 0 | 0x80): Buffer => {
  if (length > MAX_PAYLOAD_BYTES) throw new RangeError(`a message longer than ${MAX_PAYLOAD_BYTES} bytes`);
  const first = 0x80 | opcode;
  return length < 126
    ? Buffer.from([first, maskBit | length])
    : Buffer.from([first, maskBit | 126, length >> 8, length & 0xff]);
};

const unmask = (bytes: Buffer, mask: Buffer): Buffer =>
  Buffer.from(bytes.map((byte, index) => byte ^ mask.readUInt8(index % 4)));
