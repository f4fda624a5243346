// The types of crank/worker as a strictly checked application sees them, with Node's own resolution.
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../e2e/harness/bench.ts";

const APPLICATION = `
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createPlain } from "node:net";
import { WebSocketServer } from "ws";
import "crank/register";
import { drain, type Drained, type HandedOver, handOver, listen, onStop, ready, sockets, status, takeOver, watch } from "crank/worker";

const web = createServer();
const sockets2 = new WebSocketServer({ server: web });
onStop(async ({ signal, budgetMs }) => {
  const left: number | null = budgetMs;
  const told: "SIGTERM" | "SIGUSR2" | "SIGINT" = signal;
  const result: Drained = await drain([web, sockets2, createSecureServer(), createPlain()], { spreadMs: 20_000, closeCode: 1012 });
  await drain({ clients: new Set<WebSocket>() });
  return [left, told, result.cut];
});
watch(web);
createPlain(async (socket) => {
  const isGone: boolean = await handOver(socket, { name: "user 7", graceMs: 1000 });
  return isGone;
});
const left: readonly HandedOver[] = takeOver();
for (const { name, socket } of left) socket.write(name);
await listen(web, { socket: sockets("main", { port: 80 })[0] ?? 0 });
status("serving");
ready();
// @ts-expect-error: a port is a number
await listen(web, { port: "80" });
`;

const OPTIONS = {
  strict: true,
  exactOptionalPropertyTypes: true,
  module: "NodeNext",
  target: "ES2023",
  lib: ["ES2023", "DOM"],
  types: ["node"],
  noEmit: true,
  skipLibCheck: false,
};

test("a strictly checked application finds the types", () => {
  const directory = mkdtempSync(join(tmpdir(), "crank-types-"));
  try {
    mkdirSync(join(directory, "node_modules/@types"), { recursive: true });
    symlinkSync(ROOT, join(directory, "node_modules/crank"));
    for (const name of ["@types/node", "@types/ws", "undici-types"])
      symlinkSync(join(ROOT, "node_modules", name), join(directory, "node_modules", name));
    writeFileSync(join(directory, "package.json"), '{"type":"module"}');
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions: OPTIONS, files: ["app.ts"] }));
    writeFileSync(join(directory, "app.ts"), APPLICATION);
    const checked = Bun.spawnSync([join(ROOT, "node_modules/.bin/tsc"), "-p", directory]);
    expect(checked.stdout.toString()).toBe("");
    expect(checked.exitCode).toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
