// crank's start: what it refuses, with which words and status, and what it leaves behind.
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { mountNamespaces, needing, ROOT_USER } from "../../needs.ts";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

const crank = (...args: string[]) => web.bench.run([CRANK, ...args]);
const named = (...args: string[]) => crank(...web.own, ...args);

describe("a wrong command line is refused with status 2 and one sentence", () => {
  test.each<[string[], string]>([
    [["-bnd", ":0"], "Did you mean -bind"],
    [["-bind"], "-bind: its value is missing"],
    [["-name", "web", "-instances", "2"], "-instances: it is for a command"],
    [["-name", "web", "-ready", "tcp", "--", "true"], "There is no socket to probe: give -probe-addr"],
    [["-name", "web", "-user", "no-such-user", "--", "true"], "No such user"],
    [["-bind", ":0", "-name", "a/b"], "-name"],
    [["-bind", ":0"], "-ctl: missing"],
    [["-bind", ":0", "-name", "web", "-linger", "-1"], "must not be negative"],
    [["-bind", ":0", "-name", "web", "-linger", "soon"], "number of seconds"],
    [["-bind", ":0", "-name", "web", "-log-format", "xml"], "text, json or raw"],
    [["-bind", ":0", "-name", "web", "-quiet", "-verbose"], "-quiet: excludes -verbose"],
    [["-bind", "tcp://:99999", "-name", "web"], "65535"],
    [["-bind", `/${"x".repeat(120)}`, "-name", "web"], "107"],
    [["-bind", ":0", "-name", "web", "-ctl", "tcp://127.0.0.1:0"], "CRANK_CTL_TOKEN"],
  ])("%j", async (args, part) => {
    const ended = await crank(...args);
    expect(ended.stderr).toContain(part);
    expect(ended.stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
    expect(ended.status).toBe(2);
    expect(ended.stdout).toBe("");
  });
});

describe("what cannot be opened ends crank with status 1 and one sentence that names it", () => {
  test("an address in use", async () => {
    const server = createServer();
    const port = await new Promise<number>((done) =>
      server.listen(0, "127.0.0.1", () => done((server.address() as { port: number }).port)),
    );
    const ended = await named("-bind", `127.0.0.1:${port}`);
    server.close();
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.stderr).toContain(`127.0.0.1:${port}: address already in use`);
    expect(existsSync(web.path("web.ctl"))).toBe(false);
  });

  test("an address that is not this machine's", async () => {
    const ended = await named("-bind", "tcp://192.0.2.1:8080");
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.stderr).toContain("192.0.2.1:8080: address not available on this machine");
  });

  needing(ROOT_USER).test("an address that is not permitted", async () => {
    const locked = web.path("locked");
    mkdirSync(locked);
    chmodSync(web.directory, 0o1777);
    const flags = [...web.own, "-bind", join(locked, "web.sock")];
    const ended = await web.bench.run(["setpriv", "--reuid", "65534", "--clear-groups", CRANK, ...flags]);
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.stderr).toContain(`${locked}/web.sock: permission denied`);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
  });

  test("a host that does not resolve", async () => {
    const ended = await named("-bind", "tcp://no-such-host.invalid:80");
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.stderr).toContain("no-such-host.invalid");
  });

  test("a host that does not resolve, beside a socket that could be opened: its file is not left behind", async () => {
    const path = web.path("web.sock");
    expect(await named("-bind", path, "-bind", "tcp://no-such-host.invalid:80")).toMatchObject({ status: 1 });
    expect(existsSync(path)).toBe(false);
  });

  test("a plain file at the socket's path", async () => {
    const path = web.path("file");
    writeFileSync(path, "precious");
    const ended = await named("-bind", path);
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.stderr).toContain("the file is not a socket; remove it");
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  test("a live socket, which is still answered", async () => {
    const path = web.path("live.sock");
    const server = createServer();
    await new Promise<void>((done) => server.listen(path, done));
    const ended = await named("-bind", path);
    server.close();
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.stderr).toContain("another process is listening");
  });

  test("a working directory that was removed: nothing is created in another one", async () => {
    const script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" -bind ./web.sock -name web -prefix .';
    const ended = await web.bench.run(["bash", "-c", `cd ${web.directory} && ${script}`, CRANK]);
    const stderr = "crank: the working directory does not exist any more: change to another one and retry\n";
    expect(ended).toEqual({ status: 1, stdout: "", stderr });
  });

  needing(mountNamespaces()).test("a full disk, which is left without a record", async () => {
    const full = 'disk="$1"; shift; mount -t tmpfs -o size=64k crank-test "$disk"; head -c 64k /dev/zero >"$disk/full"';
    const words = ["bash", "-c", `${full}; "$0" "$@"; status=$?; ls "$disk"; exit $status`, CRANK, web.directory];
    const flags = ["-bind", "127.0.0.1:0", ...web.own];
    const ended = await web.bench.run(["unshare", "--mount", ...words, ...flags]);
    const record = web.path("web.conf");
    expect(ended).toEqual({
      status: 1,
      stdout: "full\n",
      stderr: `crank: the record ${record} cannot be written: no space left on device; choose another with -prefix or -conf\n`,
    });
  });

  test("a descriptor that is not open", async () => {
    const ended = await named("-bind", "fd://77");
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.stderr).toContain("fd://77: bad file descriptor");
  });

  test("a descriptor that is not a socket", async () => {
    const ended = await named("-bind", "fd://0");
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.stderr).toContain("fd://0: not a socket");
  });

  test("a prefix that does not exist, and one where nothing can be written", async () => {
    for (const prefix of [web.path("missing"), "/proc"]) {
      const ended = await crank("-prefix", prefix, "-name", "web", "-bind", "127.0.0.1:0");
      expect(ended).toMatchObject({ status: 1 });
      expect(ended.stderr).toContain(`${prefix}/web.conf`);
      expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    }
  });
});

test("more sockets than crank can keep are refused at the start, with one sentence", async () => {
  const ended = await named(...Array.from({ length: 16_000 }, () => ["-bind", "127.0.0.1:0"]).flat());
  expect(ended.status).toBe(1);
  expect(ended.stderr).toMatch(
    /^crank: The sockets and settings would take \d+ bytes, more than the 4194304 that crank keeps; use fewer sockets, .*\n$/,
  );
  expect(readdirSync(web.directory)).toEqual([]);
});

describe("a record that cannot be used is kept aside and named, and crank starts empty:", () => {
  test.each([
    ["empty", ""],
    ["truncated", '{"cwd":"/","comm'],
    ["not JSON", "ruby app.rb"],
    ["of a later version", '{"command":["true"],"crank":{"version":7,"history":[]}}'],
    ["of wrong types", '{"command":"true","start_timeout":"soon"}'],
  ])("%s", async (_, text) => {
    const record = web.path("web.conf");
    writeFileSync(record, text);
    const running = await web.start();
    await running.wrote("stderr", `The record ${record}`);
    await running.wrote("stderr", `kept as ${record}.bad-1`);
    expect(readFileSync(`${record}.bad-1`, "utf8")).toBe(text);
    expect((await web.ctl("ps")).stdout).toBe("");
    expect((await web.ctl("history", "-json")).stdout.trim()).toBe("[]");
  });
});

describe("a journal that cannot be used is kept aside and named, and crank starts from the record:", () => {
  test.each([
    ["empty", new Uint8Array()],
    ["truncated", Buffer.from("crankjnl\u0001\0\0\0")],
    ["something else", Buffer.from('{"not":"a journal"}')],
    ["of a later version", Buffer.from("crankjnl\u0009\0\0\0\0\0\0\0\0\0\0\0")],
  ])("%s", async (_, bytes) => {
    const journal = web.path("web.run/journal");
    mkdirSync(web.path("web.run"));
    writeFileSync(journal, bytes);
    writeFileSync(web.path("web.conf"), JSON.stringify({ cwd: "/", command: ["sleep", "600"] }));
    const running = await web.start();
    await running.wrote("stderr", `The journal ${journal}`);
    await running.wrote("stderr", `kept as ${journal}.bad-1`);
    expect(readFileSync(`${journal}.bad-1`)).toEqual(Buffer.from(bytes));
    await waitFor("the worker of the record", async () => (await web.ctl("ps")).stdout.includes("sleep 600"));
  });
});

describe("crank", () => {
  test("prints its version and its help on stdout, with status 0", async () => {
    const version = await crank("--version");
    expect(version).toMatchObject({ status: 0, stderr: "" });
    expect(version.stdout).toMatch(/^crank \d+\.\d+\.\d+\n$/);
    const help = await crank("-help");
    expect(help).toMatchObject({ status: 0, stderr: "" });
    for (const flag of [
      "-bind",
      "-name",
      "-conf",
      "-ctl",
      "-prefix",
      "-respawn",
      "-linger",
      "-log-format",
      "-quiet",
      "-verbose",
      "-version",
    ]) {
      expect(help.stdout).toContain(flag);
    }
  });

  test("refuses a name that another crank has, and names that crank's pid", async () => {
    const first = await web.start();
    const second = await named("-bind", "127.0.0.1:0");
    expect(second).toMatchObject({ status: 1 });
    expect(second.stderr).toContain(`with pid ${first.pid}`);
    expect((await web.ctl("info", "-json")).status).toBe(0);
  });

  test("replaces a stale socket, and removes its sockets' files when it ends", async () => {
    const path = web.path("web.sock");
    const dead = web.bench.start([
      "python3",
      "-c",
      `import socket;s=socket.socket(socket.AF_UNIX);s.bind(${JSON.stringify(path)})`,
    ]);
    await dead.ended;
    expect(existsSync(path)).toBe(true);
    const running = await web.startOn([path]);
    running.signal("SIGTERM");
    expect(await running.ended).toMatchObject({ status: 0 });
    expect(existsSync(path)).toBe(false);
    expect(existsSync(web.path("web.ctl"))).toBe(false);
    expect(readdirSync(web.path("web.run"))).not.toContain("journal");
  });
});
