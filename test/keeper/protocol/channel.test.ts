// The channel from outside: a peer program talks to a server here, over a path, a port and an inherited descriptor.
import { afterAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const home = mkdtempSync(join(tmpdir(), "crank-channel-"));
const program = join(import.meta.dirname, "channel-peer.ts");
afterAll(() => rmSync(home, { recursive: true }));

let sockets = 0;
const socketPath = (): string => join(home, `socket-${++sockets}`);

const serve = async (target: string | number, connection: (socket: Socket) => void): Promise<Server> => {
  const server = createServer(connection);
  await new Promise<void>((resolve) => server.listen(target, () => resolve()));
  return server;
};

type Result = { readonly status: number | null; readonly output: string; readonly errors: string };
const resultOf = (child: ChildProcess): Promise<Result> =>
  new Promise((resolve) => {
    let output = "";
    let errors = "";
    child.stdout?.on("data", (bytes) => (output += bytes));
    child.stderr?.on("data", (bytes) => (errors += bytes));
    child.on("close", (status) => resolve({ status, output, errors }));
  });

const peer = (...parameters: string[]): Promise<Result> =>
  resultOf(spawn(process.execPath, [program, ...parameters], { stdio: ["ignore", "pipe", "pipe"] }));

describe("channels", () => {
  test("keep what a slow reader has not read, and flushed() waits for it", async () => {
    let count = 0;
    const path = socketPath();
    const received = Promise.withResolvers<number>();
    const server = await serve(path, (socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), 50);
      socket.on("data", (bytes) => (count += bytes.length));
      socket.on("close", () => received.resolve(count));
    });
    const result = await peer("unix", path, "send");
    expect(result).toEqual({ status: 0, output: "kept true\nunsent 0\n", errors: "" });
    expect(await received.promise).toBe(6_400_000);
    server.close();
  });

  test("send everything before end() closes them", async () => {
    let sum = 0;
    const path = socketPath();
    const received = Promise.withResolvers<number>();
    const server = await serve(path, (socket) => {
      socket.on("data", (bytes) => {
        for (const byte of Buffer.from(bytes)) sum += byte;
      });
      socket.on("end", () => received.resolve(sum));
    });
    expect((await peer("unix", path, "end")).output).toBe("closed after 0\n");
    expect(await received.promise).toBe((100_000 * 63 * 64) / 2);
    server.close();
  });

  test("carry bytes both ways over tcp, and report the peer's end as close", async () => {
    const server = await serve(0, (socket) => {
      socket.write("hello");
      socket.once("data", (bytes) => socket.end(bytes));
    });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    expect((await peer("tcp", String(port), "echo")).output).toBe("closed after 10\n");
    server.close();
  });

  test("work over an inherited socket pair", async () => {
    const child = spawn(process.execPath, [program, "fd", "3", "echo"], { stdio: ["ignore", "pipe", "pipe", "pipe"] });
    const end = child.stdio[3] as Socket; // "pipe" makes a socket pair, whose end here is a Socket
    const echoed = new Promise<string>((resolve) => end.once("data", (bytes) => resolve(String(bytes))));
    end.write("over the pair");
    expect(await echoed).toBe("over the pair");
    end.destroy();
    expect((await resultOf(child)).output).toBe("closed after 13\n");
  });

  test("end the process at an exception in a handler", async () => {
    const path = socketPath();
    const server = await serve(path, (socket) => {
      socket.on("error", () => {});
      socket.write("x");
    });
    const result = await peer("unix", path, "throw");
    expect(result.status).toBe(1);
    expect(result.errors).toContain("thrown in a handler");
    server.close();
  });

  test("report a failed connection as a typed error with the system's code", async () => {
    const absent = join(home, "absent");
    const plain = join(home, "plain");
    if (!existsSync(plain)) writeFileSync(plain, "");
    expect(await peer("unix", absent)).toEqual({
      status: 0,
      output: `ENOENT: cannot connect to ${absent}: there is nothing there (ENOENT)\n`,
      errors: "",
    });
    expect((await peer("unix", plain)).output).toStartWith("ECONNREFUSED: ");
    expect((await peer("unix", `/tmp/${"x".repeat(120)}`)).output).toStartWith("ENAMETOOLONG: ");
    expect((await peer("tcp", "1")).output).toStartWith("ECONNREFUSED: ");
  });
});
