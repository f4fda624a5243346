// This process and others on Node's own modules.
import type { Answer, Processes } from "../processes.ts";
import { MOST_OUTPUT } from "../processes.ts";
import { asHost, asHostError, codeOf } from "./errors.ts";

const answerOf = (status: number | null, output: string): Answer => ({ status, output });

const ask = async ([program = "", ...argv]: readonly string[], limitMs: number): Promise<Answer> => {
  const { spawn } = await import("node:child_process");
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    const parts: string[] = [];
    child.stdout.setEncoding("utf8").on("data", (part: string) => parts.push(part));
    child.once("error", (error) => reject(asHostError(error, "start", program)));
    child.once("close", (status) => resolve(answerOf(status, parts.join(""))));
  });
};

const BOUNDS: ReadonlySet<string> = new Set(["ETIMEDOUT", "ENOBUFS"]);

const askNow = ([program = "", ...argv]: readonly string[], limitMs: number): Answer => {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { status, stdout, error } = spawnSync(program, argv, {
    encoding: "utf8",
    timeout: limitMs,
    killSignal: "SIGKILL",
    maxBuffer: MOST_OUTPUT,
    stdio: ["ignore", "pipe", "ignore"],
  });
  // Exceeding the time limit or the output limit is an answer too.
  if (error && !BOUNDS.has(codeOf(error))) throw asHostError(error, "start", program);
  return answerOf(status, stdout ?? "");
};

export const nodeProcesses: Processes = {
  runtime: process.versions.bun === undefined ? `node ${process.versions.node}` : `bun ${process.versions.bun}`,
  identity: () => ({
    pid: process.pid,
    parent: process.ppid,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
  }),
  arguments: () => process.argv.slice(2),
  environment: () => process.env,
  variable: (name) => process.env[name],
  workingDirectory: () => asHost("getcwd", undefined, () => process.cwd()),
  exit: (status) => process.exit(status),
  onUncaught: (handler) => {
    process.on("uncaughtException", handler);
    process.on("unhandledRejection", handler);
  },
  kill: (pid, signal) => {
    asHost("kill", String(pid), () => process.kill(pid, signal));
  },
  setPriority: (pid, nice) => {
    const { setPriority } = process.getBuiltinModule("node:os");
    asHost("setpriority", String(pid), () => setPriority(pid, nice));
  },
  ask,
  askNow,
};
