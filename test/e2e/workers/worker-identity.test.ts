// What a worker has besides what was asked for: its user's environment, its rights, its keyring, and where its messages are
// read.
import { expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { needing, ROOT_USER } from "../../needs.ts";
import { eachTest } from "../harness/each-test.ts";
import { environmentOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

/** One that every user may execute. */
const PYTHON = "/usr/bin/python3";

const web = eachTest(new Service());

needing(ROOT_USER).test(
  "-env overrides HOME, and -no-new-privs keeps the worker's processes from gaining rights",
  async () => {
    await web.start();
    const user = ["-user", "nobody", "-cwd", "/", "-env", "HOME=/elsewhere"];
    const flags = [...user, "-no-new-privs", "-ready", "delay:0.1", "-wait"];
    await web.ctl("run", ...flags, "--", "sleep", "600");
    const worker = await web.started();
    expect(environmentOf(worker.pid).get("HOME")).toBe("/elsewhere");
    const isSet = () => /^NoNewPrivs:\t1$/m.test(readFileSync(`/proc/${worker.pid}/status`, "utf8"));
    expect(isSet()).toBe(true);
    // The next one as well, unless it says otherwise.
    await web.ctl("run", "-no-new-privs=false", "-cwd", "/", "-wait", "--", "sleep", "601");
    const next = await web.ready(worker.pid);
    expect(readFileSync(`/proc/${next.pid}/status`, "utf8")).toMatch(/^NoNewPrivs:\t0$/m);
  },
);

needing(ROOT_USER, { name: PYTHON, isMet: existsSync(PYTHON) }).test(
  "a worker of another user has a session keyring that is not crank's",
  async () => {
    await web.start();
    const kept = web.path("keyring");
    writeFileSync(kept, "");
    chmodSync(kept, 0o666);
    chmodSync(web.directory, 0o711);
    // KEYCTL_GET_KEYRING_ID and KEYCTL_DESCRIBE of KEY_SPEC_SESSION_KEYRING; keyctl(2) is 250 on x86-64, 219 on aarch64.
    // Without a session keyring of its own a process would have crank's, or its user's ("_uid_ses.65534").
    const ask = `import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
number = 250 if platform.machine() == "x86_64" else 219
text = ctypes.create_string_buffer(256)
libc.syscall(number, 6, -3, text, 256)
open("${kept}", "w").write(str(libc.syscall(number, 0, -3, 0)) + " " + text.value.decode())`;
    expect(Bun.spawnSync([PYTHON, "-c", ask]).exitCode).toBe(0);
    const cranks = readFileSync(kept, "utf8");
    writeFileSync(kept, "");
    const program = `${ask}\nimport time; time.sleep(600)`;
    await web.ctl("run", "-user", "nobody", "--", PYTHON, "-c", program);
    const [id, description] = await waitFor("the worker's keyring", () => {
      const words = readFileSync(kept, "utf8").split(" ");
      return words.length === 2 ? words : null;
    });
    expect(id).not.toBe(cranks.split(" ")[0]);
    expect(description).toMatch(/^keyring;.*;_ses$/);
  },
);

test("a worker with more sockets than a shell can count can still report from a shell that it is ready", async () => {
  await web.startOn(Array.from({ length: 9 }, () => "127.0.0.1:0"));
  const line = 'printf READY=1 >&"$NOTIFY_FD"; exec sleep 600';
  expect(await web.run("-start", "20", "--", "sh", "-c", line)).toMatchObject({ status: 0 });
  const worker = await web.started();
  expect(environmentOf(worker.pid).get("LISTEN_FDS")).toBe("9");
  expect(environmentOf(worker.pid).get("NOTIFY_FD")).toBe("0");
});

/**
 * A crank whose getent(1) is a script, which answers for a user that is in no file; the script records its open descriptors.
 */
const crankAsking = async (answer: string): Promise<string> => {
  const noted = web.path("descriptors");
  const script = `#!/bin/sh\nreadlink /proc/$$/fd/* >> ${noted}\n[ "$1" = passwd ] && echo '${answer}'\n`;
  writeFileSync(web.path("getent"), script, { mode: 0o755 });
  const env = { PATH: `${web.directory}:${process.env.PATH}` };
  await web.startWith({ env });
  return noted;
};
const runAsGhost = () => web.run("-user", "ghost", "-cwd", "/", "-ready", "delay:0.1", "--", "sleep", "600");

needing(ROOT_USER).test("getent inherits none of crank's sockets", async () => {
  const noted = await crankAsking("ghost:x:65000:65000::/:");
  expect(await runAsGhost()).toMatchObject({ status: 0 });
  expect(readFileSync(noted, "utf8")).toContain("/getent\n");
  expect(readFileSync(noted, "utf8")).not.toContain("socket:");
});

needing(ROOT_USER).test("a user entry without a uid, or with one that means no change, is refused", async () => {
  for (const uid of ["", "x", "4294967295", "4294967296"]) {
    await crankAsking(`ghost:x:${uid}:65000::/:`);
    const { status, stderr } = await runAsGhost();
    expect({ uid, status, isNamed: stderr.includes('No such user: "ghost"') }).toEqual({
      uid,
      status: 1,
      isNamed: true,
    });
    await web.clean();
    await web.open();
  }
});
