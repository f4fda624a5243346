// Unix sockets whose files are removed while they are served: by a worker that tidies up after itself, and by anybody else.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { endLeft } from "./harness/left.ts";
import { Bench, CRANK, isAlive, type Running, waitFor } from "./harness/service.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await bench.clean();
  await endLeft(bench);
});

/** Answers its word; with `tidy` it removes the socket's file when it is told to go, as asyncio does on Python 3.13. */
const SERVER = `import os, signal, socket, sys
def go(*_):
    if "tidy" in sys.argv:
        try: os.unlink(server.getsockname())
        except FileNotFoundError: pass
    os._exit(0)
signal.signal(signal.SIGTERM, go)
server = socket.socket(fileno=3)
os.write(int(os.environ["NOTIFY_FD"]), b"READY=1")
while True:
    connection, _ = server.accept()
    connection.sendall(sys.argv[1].encode())
    connection.close()`;

const path = (): string => join(bench.directory, "app.sock");
const run = (word: string, ...how: readonly string[]) =>
  bench.ctl("web", "run", "-wait", "--", "python3", "-c", SERVER, word, ...how);

/** What the service answers at its path; null: nobody can connect. */
const ask = (): Promise<string | null> =>
  new Promise((resolve) => {
    let text = "";
    connect(path())
      .on("data", (bytes) => {
        text += bytes.toString();
      })
      .on("error", () => resolve(null))
      .on("close", () => resolve(text));
  });

const answered = (word: string): Promise<unknown> => waitFor(word, async () => (await ask()) === word);
const start = (...args: readonly string[]): Promise<Running> => bench.crank("web", ["-bind", path(), ...args]);
const status = async () => JSON.parse((await bench.ctl("web", "status", "-json")).stdout);

describe("the socket's file", () => {
  test("that old workers remove on their way out is back after each deploy, and the new ones answer", async () => {
    const crank = await start();
    for (const word of ["one", "two", "three"]) {
      expect(await run(word, "tidy")).toMatchObject({ status: 0 });
      await answered(word);
    }
    await crank.wrote("stderr", "the socket's file was gone, and was put back");
    // It is the same socket: nothing had to be deployed for it.
    await waitFor("the old workers to be gone", async () => (await status()).workers.length === 1);
    expect((await status()).generation).toBe(3);
    await answered("three");
  });

  test("that is removed is back at once, is told of in log, events and metrics, and goes with crank", async () => {
    const crank = await start("-metrics", join(bench.directory, "metrics.sock"));
    await run("one");
    rmSync(path());
    await answered("one");
    await crank.wrote("stderr", "the socket's file was gone, and was put back");
    const events = await bench.ctl("web", "events", "-once", "-json");
    expect(events.stdout).toContain('"kind":"socketName"');
    const scraped = await bench.run([
      "curl",
      "-s",
      "--unix-socket",
      join(bench.directory, "metrics.sock"),
      "http://x/metrics",
    ]);
    expect(scraped.stdout).toMatch(/^crank_socket_files_lost_total 1$/m);
    expect(scraped.stdout).toMatch(/^crank_socket_reachable\{.*\} 1$/m);
    crank.signal("SIGTERM");
    await crank.ended;
    expect(readdirSync(bench.directory).filter((name) => name.endsWith(".sock") || name.endsWith(".ctl"))).toEqual([]);
    expect(readdirSync(join(bench.directory, "web.run/names"))).toEqual([]);
  });

  test("that is gone with its second name is a new socket's, which workers get by a rollout of what runs", async () => {
    const crank = await start();
    await run("one");
    const before = (await status()).workers[0].pid;
    const spare = join(bench.directory, "web.run/names/10");
    expect(existsSync(spare)).toBe(true);
    // Nobody else gets at the socket by way of that.
    expect(statSync(join(bench.directory, "web.run/names")).mode & 0o777).toBe(0o700);
    crank.signal("SIGSTOP");
    rmSync(path());
    rmSync(spare);
    crank.signal("SIGCONT");
    await answered("one");
    await crank.wrote("stderr", "a new socket is bound there");
    await waitFor("the old worker to be gone", () => !isAlive(before));
    const now = await status();
    expect(now.generation).toBe(2);
    expect(now.sockets[0].problem).toBeUndefined();
    rmSync(path());
    await answered("one");
  });

  test("that is a new socket's is handed out again and again until a rollout succeeds", async () => {
    const crank = await start();
    const broken = join(bench.directory, "broken");
    const shell = 'test ! -e "$0" || exit 1; exec python3 -c "$1" one';
    await bench.ctl("web", "run", "-wait", "--", "bash", "-c", shell, broken, SERVER);
    const before = (await status()).workers[0].pid;
    writeFileSync(broken, "");
    crank.signal("SIGSTOP");
    rmSync(path());
    rmSync(join(bench.directory, "web.run/names/10"));
    crank.signal("SIGCONT");
    await crank.wrote("stderr", /(rolled back[\s\S]*){2}/i);
    expect((await status()).workers.map(({ pid }: { pid: number }) => pid)).toContain(before);
    rmSync(broken);
    await answered("one");
    await waitFor("the old worker to be gone", () => !isAlive(before));
  });

  test("in whose place another process listens is left to it, said in status, and taken back when it is gone", async () => {
    const crank = await start();
    await run("one");
    const other = bench.start([
      "python3",
      "-c",
      "import socket,sys,time;s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen();print('up',flush=True);time.sleep(600)",
      `${path()}.other`,
    ]);
    await other.wrote("stdout", "up");
    renameSync(`${path()}.other`, path());
    await crank.wrote("stderr", `another process listens at this path now (pid ${other.pid}, python3)`);
    expect((await status()).sockets[0].problem).toBe(`process ${other.pid} listens there`);
    expect((await bench.ctl("web", "status")).stdout).toContain(`process ${other.pid} listens there`);
    other.signal("SIGKILL");
    await other.ended;
    // At a reload it is looked at, whatever pause the keeper keeps.
    expect(await bench.ctl("web", "reload", "-wait")).toMatchObject({ status: 0 });
    await answered("one");
    expect((await status()).sockets[0].problem).toBeUndefined();
  });

  test("in whose place there is a link is not followed, and removing the link is enough", async () => {
    const crank = await start();
    await run("one");
    writeFileSync(join(bench.directory, "file"), "precious");
    symlinkSync(join(bench.directory, "file"), join(bench.directory, "link"));
    renameSync(join(bench.directory, "link"), path());
    await crank.wrote("stderr", "something that is not a socket has this path now");
    rmSync(path());
    crank.signal("SIGHUP");
    await answered("one");
  });

  test("that went with its whole directory is back when the directory is", async () => {
    const directory = join(bench.directory, "d");
    mkdirSync(directory);
    const crank = await bench.crank("web", ["-bind", join(directory, "app.sock")]);
    await run("one");
    rmSync(directory, { recursive: true });
    await crank.wrote("stderr", "its file is gone, and no new socket can be bound there");
    mkdirSync(directory);
    await waitFor("the file", () => existsSync(join(directory, "app.sock")));
  });
});

test("a crank that adopts workers puts the name back that went while none ran, and watches it", async () => {
  const first = await start();
  await run("one");
  const { pid } = (await status()).workers[0];
  first.signal("SIGKILL");
  await first.ended;
  rmSync(path());
  const next = await start();
  await next.wrote("stderr", "Adopted 1 of the 1 worker");
  await answered("one");
  expect((await status()).workers).toMatchObject([{ pid }]);
  rmSync(path());
  await answered("one");
});

test("a socket that a worker has shut down for all gives way to a new one, which a rollout of what runs hands out", async () => {
  const crank = await start();
  const saboteur = SERVER.replace(
    "server = socket.socket(fileno=3)\n",
    "$&if 'shut' in sys.argv: signal.signal(signal.SIGUSR2, lambda *_: server.shutdown(socket.SHUT_RDWR))\n",
  );
  await bench.ctl("web", "run", "-wait", "--", "python3", "-c", saboteur, "one", "shut");
  process.kill((await status()).workers[0].pid, "SIGUSR2");
  await crank.wrote("stderr", "a new socket is bound there");
  await answered("one");
});

describe("the control socket's file", () => {
  const ctl = (): string => join(bench.directory, "web.ctl");

  test("that is removed is back at once, also with its second name", async () => {
    const crank = await start();
    rmSync(ctl());
    await waitFor("crankctl to get through", async () => (await bench.ctl("web", "ps")).status === 0);
    crank.signal("SIGSTOP");
    rmSync(ctl());
    rmSync(join(bench.directory, "web.run/names/1"));
    crank.signal("SIGCONT");
    await waitFor("crankctl to get through", async () => (await bench.ctl("web", "ps")).status === 0);
    expect(statSync(ctl()).mode & 0o777).toBe(0o600);
  });

  test("is as -ctl says: mode and group", async () => {
    const crank = bench.start([
      CRANK,
      ...["-prefix", bench.directory, "-name", "web", "-bind", path(), "-ctl", `${ctl()}?mode=0660&group=0`],
    ]);
    await crank.wrote("stderr", "Listening on");
    expect(statSync(ctl())).toMatchObject({ gid: 0 });
    expect(statSync(ctl()).mode & 0o777).toBe(0o660);
  });
});
