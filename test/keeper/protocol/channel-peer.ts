// A program that the channel's tests run: it uses one channel as its arguments say and prints the result.
import { type Channel, ChannelError, connectTcp, connectUnix, openChannel } from "../../../src/keeper/channel.ts";

const [how = "", target = "", what = ""] = process.argv.slice(2);
let received = 0;
let channel: Channel | null = null;
const handlers = {
  data: (bytes: Uint8Array): void => {
    received += bytes.length;
    if (what === "throw") throw new Error("thrown in a handler");
    if (what === "echo") channel?.write(new Uint8Array(bytes));
  },
  close: (): void => {
    process.stdout.write(`closed after ${received}\n`);
  },
};

const open = (): Promise<Channel> => {
  if (how === "fd") return openChannel(Number(target), handlers);
  if (how === "tcp") return connectTcp("127.0.0.1", Number(target), handlers);
  return connectUnix(target, handlers);
};

try {
  channel = await open();
  if (what === "send") {
    for (let part = 0; part < 64; part++) channel.write(new Uint8Array(100_000).fill(part));
    process.stdout.write(`kept ${channel.unsent > 0}\n`);
    await channel.flushed();
    process.stdout.write(`unsent ${channel.unsent}\n`);
    process.exit(0);
  }
  if (what === "end") {
    for (let part = 0; part < 64; part++) channel.write(new Uint8Array(100_000).fill(part));
    channel.end();
  }
} catch (error) {
  process.stdout.write(
    error instanceof ChannelError ? `${error.code}: ${error.message}\n` : `other ${String(error)}\n`,
  );
}
