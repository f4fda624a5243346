// The client of server.mjs: sends bytes over one connection, and checks that the same bytes come back, in their order.
//
//   bun examples/hand-over/client.ts HOST:PORT BYTES
import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";

const CHUNK = 256 * 1024;

export type Transfer = {
  /** SHA-256 of the sent and of the received bytes. */
  readonly sent: string;
  readonly heard: string;
  readonly ms: number;
};
export type Place = { readonly host: string; readonly port: number };

/**
 * Sends `total` bytes; resolves when all have come back, and rejects if the connection ends before. `mayHaveSent`
 * limits it: how many bytes may be sent when this many have come back.
 */
export const transfer = (
  place: Place,
  total: number,
  mayHaveSent: (heard: number) => number = () => total,
): Promise<Transfer> =>
  new Promise((resolve, reject) => {
    const begun = performance.now();
    const pattern = randomBytes(CHUNK);
    const [there, back] = [createHash("sha256"), createHash("sha256")];
    const socket = connect({ ...place, noDelay: true });
    let [sent, heard] = [0, 0];
    let pause: ReturnType<typeof setTimeout> | undefined;

    const send = (): void => {
      clearTimeout(pause);
      while (sent < total && sent < mayHaveSent(heard)) {
        // No two chunks are the same.
        pattern.writeUIntBE(sent / CHUNK, 0, 6);
        const chunk = Buffer.from(pattern.subarray(0, Math.min(CHUNK, total - sent)));
        there.update(chunk);
        sent += chunk.length;
        if (!socket.write(chunk)) return;
      }
      if (sent < total) pause = setTimeout(send, 1);
    };
    const cut = (): void => reject(new Error(`the connection was closed after ${heard} of ${total} bytes`));

    socket.on("connect", send);
    socket.on("drain", send);
    socket.on("error", reject);
    socket.on("close", cut);
    socket.on("data", (bytes: Buffer) => {
      back.update(bytes);
      heard += bytes.length;
      if (heard < total) return;
      socket.off("close", cut);
      socket.destroy();
      resolve({ sent: there.digest("hex"), heard: back.digest("hex"), ms: performance.now() - begun });
    });
  });

const main = async ([address = "", bytes = ""]: readonly string[]): Promise<void> => {
  const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? [];
  if (!/^\d{1,15}$/.test(bytes) || host === undefined) throw new Error("usage: client.ts HOST:PORT BYTES");
  const { sent, heard, ms } = await transfer({ host, port: Number(port) }, Number(bytes));
  console.log(
    `${bytes} bytes there and back in ${(ms / 1000).toFixed(1)} s, checksum ${sent === heard ? "equal" : "DIFFERENT"}`,
  );
  process.exitCode = sent === heard ? 0 : 1;
};

if (import.meta.main) await main(process.argv.slice(2));
