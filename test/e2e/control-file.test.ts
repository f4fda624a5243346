// Whose file the control socket is: crank's own, unless workers of another user acknowledge on it.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";
import { needing, ROOT_USER } from "../needs.ts";
import { Bench, ROOT } from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");
const NOBODY = 65534;

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
  // Another user has to find the way in.
  chmodSync(bench.directory, 0o711);
});
afterEach(() => bench.clean());

needing(ROOT_USER).describe("the control socket's file", () => {
  const run = (...args: readonly string[]) => bench.ctl("web", "run", "-wait", ...args);
  const owner = () => statSync(join(bench.directory, "web.ctl")).uid;

  test("stays crank's own when workers of another user notify", async () => {
    await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    expect(await run("-user", "nobody", "-cwd", "/", "--", "/usr/bin/python3", RESPONDER, "one")).toMatchObject({
      status: 0,
    });
    expect(owner()).toBe(process.getuid?.() ?? 0);
  });

  test("is their user's when workers acknowledge on it, and crank's own again when others follow", async () => {
    await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    const acknowledging = `import json, os, signal, socket
end = socket.socket(socket.AF_UNIX)
end.connect(os.environ["EINHORN_SOCK_PATH"])
end.sendall((json.dumps({"command": "worker:ack", "pid": os.getpid()}) + "\\n").encode())
signal.pause()`;
    const acks = ["-cwd", "/", "-ready", "ack", "-user", "nobody", "--", "/usr/bin/python3", "-c", acknowledging];
    expect(await run(...acks)).toMatchObject({ status: 0, stderr: "" });
    expect(owner()).toBe(NOBODY);
    expect(await run("-ready", "notify", "-cwd", "/", "--", "/usr/bin/python3", RESPONDER, "two")).toMatchObject({
      status: 0,
    });
    expect(owner()).toBe(process.getuid?.() ?? 0);
  });
});
