// Who owns the control socket's file: crank's user, unless workers of another user acknowledge on it.
import { beforeEach, expect, test } from "bun:test";
import { chmodSync, statSync } from "node:fs";
import { needing, ROOT_USER } from "../../needs.ts";
import { eachTest } from "../harness/each-test.ts";
import { RESPONDER_IN_PYTHON } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";

const NOBODY = 65534;

const web = eachTest(new Service());
// Another user must be able to reach it.
beforeEach(() => chmodSync(web.directory, 0o711));

needing(ROOT_USER).describe("the control socket's file", () => {
  const owner = () => statSync(web.path("web.ctl")).uid;

  test("belongs to crank's user when workers of another user notify", async () => {
    await web.start();
    expect(
      await web.run("-user", "nobody", "-cwd", "/", "--", "/usr/bin/python3", ...RESPONDER_IN_PYTHON.slice(1), "one"),
    ).toMatchObject({
      status: 0,
    });
    expect(owner()).toBe(process.getuid?.() ?? 0);
  });

  test("belongs to the workers' user when they acknowledge on it, and to crank's user again after that", async () => {
    await web.start();
    const acknowledging = `import json, os, signal, socket
end = socket.socket(socket.AF_UNIX)
end.connect(os.environ["EINHORN_SOCK_PATH"])
end.sendall((json.dumps({"command": "worker:ack", "pid": os.getpid()}) + "\\n").encode())
signal.pause()`;
    const acks = ["-cwd", "/", "-ready", "ack", "-user", "nobody", "--", "/usr/bin/python3", "-c", acknowledging];
    expect(await web.run(...acks)).toMatchObject({ status: 0, stderr: "" });
    expect(owner()).toBe(NOBODY);
    expect(
      await web.run("-ready", "notify", "-cwd", "/", "--", "/usr/bin/python3", ...RESPONDER_IN_PYTHON.slice(1), "two"),
    ).toMatchObject({
      status: 0,
    });
    expect(owner()).toBe(process.getuid?.() ?? 0);
  });
});
