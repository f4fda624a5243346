// A scripted crank on a real unix socket, and crankctl and crankx that run against it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../../..");

/** A request as received. */
export type Asked = { readonly id: number; readonly method: string; readonly params: Record<string, unknown> };
/** Answers one request; `connection` counts from 1. */
export type Script = (asked: Asked, reply: Reply, connection: number) => void;
export type Reply = {
  result(value: unknown): void;
  error(error: { code: number; message: string; data?: unknown }): void;
  notify(method: string, params: unknown): void;
  raw(text: string): void;
  close(): void;
};
export type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

/** Everything that one test starts; `clean` ends it. */
export class Desk {
  readonly directory = mkdtempSync(join(tmpdir(), "crankctl-test-"));
  readonly asked: Asked[] = [];
  #stops: (() => unknown)[] = [];

  /** Listens as the crank named `name`. */
  serve(name: string, script: Script): void {
    const server = Bun.listen({ unix: join(this.directory, `${name}.ctl`), socket: this.#handlers(script) });
    this.#stops.push(() => server.stop(true));
  }

  /** Listens on a free tcp port. Returns it. */
  serveTcp(script: Script): number {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: this.#handlers(script) });
    this.#stops.push(() => server.stop(true));
    return server.port;
  }

  /** Starts an installed command. */
  start(program: "crank" | "crankctl" | "crankx", args: readonly string[], env: Record<string, string> = {}) {
    const child = Bun.spawn([join(ROOT, "bin", program), ...args], {
      cwd: this.directory,
      env: { PATH: process.env.PATH, CRANK_PREFIX: this.directory, TERM: "xterm", TZ: "UTC", ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#stops.push(async () => {
      child.kill(9);
      await child.exited;
    });
    return child;
  }

  /** Runs crankctl on the service `web` to its end. */
  ctl(...args: readonly string[]): Promise<Ended> {
    return this.run("crankctl", ["-name", "web", ...args]);
  }

  async run(
    program: "crank" | "crankctl" | "crankx",
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<Ended> {
    const child = this.start(program, args, env);
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { status: await child.exited, stdout, stderr };
  }

  async clean(): Promise<void> {
    for (const stop of this.#stops) await stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #connections = 0;

  #handlers(script: Script): Bun.SocketHandler<{ number: number; text: string; unsent: Uint8Array[] }> {
    return {
      open: (socket) => {
        socket.data = { number: ++this.#connections, text: "", unsent: [] };
      },
      data: (socket, bytes) => {
        socket.data.text += new TextDecoder().decode(bytes);
        const lines = socket.data.text.split("\n");
        socket.data.text = lines.pop() ?? "";
        for (const line of lines) {
          const asked: Asked = JSON.parse(line);
          this.asked.push(asked);
          script(asked, replyTo(socket, asked.id), socket.data.number);
        }
      },
      drain: (socket) => push(socket),
    };
  }
}

type Peer = Bun.Socket<{ number: number; text: string; unsent: Uint8Array[] }>;

const push = (socket: Peer): void => {
  const { unsent } = socket.data;
  for (let [first] = unsent; first !== undefined; [first] = unsent) {
    const taken = socket.write(first);
    if (taken < first.length) {
      unsent[0] = first.subarray(Math.max(0, taken));
      return;
    }
    unsent.shift();
  }
};

const replyTo = (socket: Peer, id: number): Reply => {
  const raw = (text: string) => {
    socket.data.unsent.push(new TextEncoder().encode(text));
    if (socket.data.unsent.length === 1) push(socket);
  };
  const say = (message: object) => raw(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  return {
    result: (result) => say({ id, result }),
    error: (error) => say({ id, error }),
    notify: (method, params) => say({ method, params }),
    raw,
    close: () => socket.end(),
  };
};
