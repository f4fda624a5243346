// crank as root where other users can write: files that they put in its place are never used, followed or waited for, and
// those that it refuses it names. And the files that its workers of another user must still reach.
import { beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { needing, ROOT_USER } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK, CRANKCTL, type Ended, ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const NOBODY = 65534;
const asRoot = needing(ROOT_USER);

const web = eachTest(new Service());
beforeEach(() => chmodSync(web.directory, 0o755));

/** A directory owned by `uid`. */
const directory = (name: string, mode: number, uid = 0): string => {
  mkdirSync(web.path(name));
  chownSync(web.path(name), uid, uid);
  chmodSync(web.path(name), mode);
  return web.path(name);
};

/** Makes a fifo, or a file, owned by another user. */
const theirs = async (path: string, kind: "fifo" | "file"): Promise<void> => {
  if (kind === "fifo") await web.bench.run(["mkfifo", path]);
  else writeFileSync(path, "theirs");
  chownSync(path, NOBODY, NOBODY);
  chmodSync(path, 0o666);
};

const crank = (prefix: string, ...args: readonly string[]): Promise<Ended> =>
  web.bench.run([CRANK, "-prefix", prefix, "-name", "web", "-bind", "127.0.0.1:0", ...args]);

/** crank ends at once, with a sentence that names the path. */
const refuses = async (prefix: string, named: string, why: string): Promise<void> => {
  const { status, stderr } = await crank(prefix);
  expect(status).toBe(1);
  expect(stderr).toContain(named);
  expect(stderr).toContain(why);
  expect(stderr.trim().split("\n")).toHaveLength(1);
};

asRoot.test(
  "a prefix that another user made first, or that others can write to, is refused, and nothing is made in it",
  async () => {
    const made = directory("made", 0o755, NOBODY);
    await refuses(made, made, `belongs to another user (uid ${NOBODY})`);
    const open = directory("open", 0o777);
    await refuses(open, open, "other users can write to it (mode 0777; chmod go-w");
    expect([readdirSync(made), readdirSync(open)]).toEqual([[], []]);
  },
);

asRoot.test(
  "a run directory that others can write to, or another user owns, is refused before its journal is read",
  async () => {
    for (const [mode, uid, why] of [
      [0o775, 0, "other users can write to it"],
      [0o711, NOBODY, "belongs to another user"],
    ] as const) {
      const prefix = directory(`prefix-${mode}`, 0o755);
      const run = directory(`prefix-${mode}/web.run`, mode, uid);
      writeFileSync(join(run, "journal"), "forged");
      await refuses(prefix, run, why);
      expect(readFileSync(join(run, "journal"), "utf8")).toBe("forged");
    }
  },
);

asRoot.test("a journal owned by another user is refused", async () => {
  const prefix = directory("prefix", 0o755);
  const run = directory("prefix/web.run", 0o711);
  await theirs(join(run, "journal"), "file");
  await refuses(prefix, join(run, "journal"), `belongs to another user (uid ${NOBODY}); remove it`);
});

asRoot.test(
  "files of other users in a sticky directory are refused at once: fifos, files, links, endless records",
  async () => {
    const sticky = directory("sticky", 0o1777);
    const ways: readonly (readonly [string, string, () => unknown])[] = [
      ["web.conf", "not a plain file", () => theirs(join(sticky, "web.conf"), "fifo")],
      ["web.conf", "belongs to another user", () => theirs(join(sticky, "web.conf"), "file")],
      ["web.conf", "it is a symbolic link", () => symlinkSync("/dev/zero", join(sticky, "web.conf"))],
      [
        "web.conf",
        "it has more than",
        () => {
          writeFileSync(join(sticky, "web.conf"), "");
          truncateSync(join(sticky, "web.conf"), 2 ** 33);
        },
      ],
      ["web.conf.lock", "not a plain file", () => theirs(join(sticky, "web.conf.lock"), "fifo")],
      ["web.conf.lock", "belongs to another user", () => theirs(join(sticky, "web.conf.lock"), "file")],
      ["web.conf.lock", "not a plain file", () => symlinkSync(web.path("victim"), join(sticky, "web.conf.lock"))],
      ["web.run", "it is a symbolic link", () => symlinkSync(web.path("victim"), join(sticky, "web.run"))],
    ];
    for (const [name, why, put] of ways) {
      await put();
      await refuses(sticky, join(sticky, name), why);
      for (const entry of readdirSync(sticky)) await web.bench.run(["rm", "-rf", join(sticky, entry)]);
    }
    expect(existsSync(web.path("victim"))).toBe(false);
  },
);

asRoot.test(
  "a service starts in a sticky directory, avoids names that others have taken, and follows none of their links",
  async () => {
    const sticky = directory("sticky", 0o1777);
    writeFileSync(web.path("victim"), "precious");
    for (const name of ["web.conf.new", "web.run.new", "web.ctl.lock"]) {
      symlinkSync(web.path("victim"), join(sticky, name));
      await web.bench.run(["chown", "-h", String(NOBODY), join(sticky, name)]);
    }
    await theirs(join(sticky, "web.conf.bad-1"), "fifo");
    writeFileSync(join(sticky, "web.conf"), "{");
    await web.launch([CRANK, "-prefix", sticky, "-name", "web", "-bind", "127.0.0.1:0"]);
    const run = [CRANKCTL, "-prefix", sticky, "-name", "web", "run", "-wait", "--", ...RESPONDER, "one"];
    expect(await web.bench.run(run)).toMatchObject({ status: 0 });
    expect(readFileSync(join(sticky, "web.conf"), "utf8")).toContain("responder-static");
    expect(readFileSync(join(sticky, "web.conf.bad-2"), "utf8")).toBe("{");
    expect([readFileSync(web.path("victim"), "utf8"), readlinkSync(join(sticky, "web.ctl.lock"))]).toEqual([
      "precious",
      web.path("victim"),
    ]);
  },
);

/** Acknowledges, unless its socket's path is a link; with `exchange` it then puts a link to VICTIM there. */
const ACKNOWLEDGING = `import json, os, signal, socket
path = os.environ["EINHORN_SOCK_PATH"]
if not os.path.islink(path):
    end = socket.socket(socket.AF_UNIX); end.connect(path)
    end.sendall((json.dumps({"command": "worker:ack", "pid": os.getpid()}) + "\\n").encode())
    end.recv(1)
    os.rename(path, path + ".old")
    os.symlink(os.environ["VICTIM"], path)
signal.pause()`;

asRoot.test(
  "the control socket in a worker's own directory is given to its user, and never the target of a link in its place",
  async () => {
    const app = directory("app", 0o755, NOBODY);
    writeFileSync(web.path("victim"), "root's");
    chmodSync(web.path("victim"), 0o600);
    const control = join(app, "web.ctl");
    const running = await web.start("-ctl", control);
    const run = [
      "run",
      "-wait",
      "-user",
      "nobody",
      "-cwd",
      "/",
      "-ready",
      "ack",
      "-env",
      `VICTIM=${web.path("victim")}`,
    ];
    const deployed = await web.bench.run([
      CRANKCTL,
      "-ctl",
      control,
      ...run,
      "--",
      "/usr/bin/python3",
      "-c",
      ACKNOWLEDGING,
    ]);
    expect(deployed).toMatchObject({ status: 0 });
    await running.wrote("stderr", "a file that is not a socket has this path now");
    running.signal("SIGHUP");
    await running.wrote("stderr", "the owner of its file cannot be changed to the workers' user");
    expect(statSync(web.path("victim"))).toMatchObject({ uid: 0, gid: 0 });
    expect(lstatSync(control).isSymbolicLink()).toBe(true);
  },
);

asRoot.test("a control socket with a group is open to that group's members, and to no other user", async () => {
  const control = web.path("web.ctl");
  const asNobody = (...args: readonly string[]) =>
    web.bench.run([
      "setpriv",
      "--reuid",
      String(NOBODY),
      "--regid",
      String(NOBODY),
      "--clear-groups",
      CRANKCTL,
      "-ctl",
      control,
      ...args,
    ]);
  const start = (options: string) => web.start("-ctl", `${control}?${options}`);
  const first = await start(`mode=0660&group=${NOBODY}`);
  expect(await asNobody("ps")).toMatchObject({ status: 0 });
  expect(statSync(control)).toMatchObject({ uid: 0, gid: NOBODY });
  first.signal("SIGTERM");
  await first.ended;
  await start("mode=0666");
  const refused = await asNobody("ps");
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toContain("may not control it");
});

asRoot.test("under a narrow umask a worker of another user reaches its NOTIFY_SOCKET", async () => {
  const notifying = `import os, signal, socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()`;
  const command = `umask 077; exec ${web.crankCommand().join(" ")}`;
  await web.launch(["sh", "-c", command]);
  const words = ["-user", "nobody", "-cwd", "/", "--", "/usr/bin/python3", "-c", notifying];
  expect(await web.run(...words)).toMatchObject({ status: 0 });
  expect(statSync(web.path("web.ctl")).mode & 0o777).toBe(0o600);
  expect(statSync(web.path("web.run")).mode & 0o777).toBe(0o711);
});

asRoot.test(
  "a run directory that the worker's user cannot enter is named in the log and in the deploy's error",
  async () => {
    const closed = directory("closed", 0o700);
    const running = await web.launch([CRANK, "-prefix", closed, "-name", "web", "-bind", "127.0.0.1:0"]);
    const words = ["run", "-wait", "-user", "nobody", "-cwd", "/", "--", "sh", "-c", "exit 7"];
    const failed = await web.bench.run([CRANKCTL, "-prefix", closed, "-name", "web", ...words]);
    const sentence = `The user nobody cannot reach NOTIFY_SOCKET: it may not search the directory ${closed} (mode 0700)`;
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain(sentence);
    await running.wrote("stderr", sentence);
  },
);

asRoot.test("a worker that can become ready only through such a directory is refused before it starts", async () => {
  const closed = directory("closed", 0o700);
  const running = await web.launch([CRANK, "-prefix", closed, "-name", "web", "-bind", "127.0.0.1:0"]);
  const run = (...flags: readonly string[]): Promise<Ended> => {
    const words = ["/usr/bin/env", "python3", "-c", READY_BY_DESCRIPTOR];
    const asNobody = ["-user", "nobody", "-cwd", "/", ...flags];
    return web.bench.run([CRANKCTL, "-prefix", closed, "-name", "web", "run", "-wait", ...asNobody, "--", ...words]);
  };
  const refused = await run("-unset-env", "NOTIFY_FD");
  expect(refused.status).toBe(1);
  expect(refused.stdout + refused.stderr).toContain(`it may not search the directory ${closed} (mode 0700)`);
  expect(refused.stdout + refused.stderr).toContain("or keep NOTIFY_FD in its environment");
  expect(running.stderr()).not.toContain("Started worker");
  // One that may use the descriptor, one that is probed, and one of a user that runs already.
  expect(await run()).toMatchObject({ status: 0 });
  const again = await run("-unset-env", "NOTIFY_FD");
  expect(again.stdout + again.stderr).not.toContain("or keep NOTIFY_FD");
  expect(await run("-unset-env", "NOTIFY_FD", "-ready", "delay:0.1")).toMatchObject({ status: 0 });
});

const READY_BY_DESCRIPTOR = `import os, signal
os.write(int(os.environ.get("NOTIFY_FD", 4)), b"READY=1")
signal.pause()`;

asRoot.test("einhorn in another user's directory serves, and says what it does not have", async () => {
  const app = directory("app", 0o755, NOBODY);
  const words = ["-d", join(app, "einhorn.sock"), "-b", "127.0.0.1:0", "-m", "0.1", "--", "sleep", "600"];
  const running = web.bench.start([join(ROOT, "bin/einhorn"), ...words], { env: { TMPDIR: web.directory } });
  const said = (text: string) => waitFor(text, () => (running.stdout() + running.stderr()).includes(text));
  await said("is not used: its directory");
  await said("Rolled out generation");
  expect(readdirSync(app).filter((name) => name.endsWith(".run"))).toEqual([]);
});

test("paths that are too long for a socket are refused at the start, with the path and the limit", async () => {
  const long = directory("d".repeat(90 - web.directory.length), 0o755, process.getuid?.() ?? 0);
  const notify = await crank(long);
  expect(notify).toMatchObject({ status: 1 });
  expect(notify.stderr).toContain(`${long}/web.run/notify/000001, has`);
  expect(notify.stderr).toContain("bytes; the limit for a unix socket is 107; choose a shorter -prefix or -name");
  const name = "s".repeat(60);
  const bind = await web.bench.run([CRANK, "-prefix", web.directory, "-name", "web", "-bind", `./${name}`], {
    cwd: long,
  });
  expect(bind).toMatchObject({ status: 2 });
  expect(bind.stderr).toContain(`-bind ./${name}`);
  expect(bind.stderr).toContain("the limit for a unix socket is 107");
});
