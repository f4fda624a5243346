// Unix sockets whose files are removed while they serve: by a worker that cleans up, or by other processes.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { Talk } from "../harness/talk.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

/** Answers with its word; with `tidy` it removes the socket's file at its stop signal, as asyncio does on Python 3.13. */
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

const path = (): string => web.path("app.sock");
const start = (...args: readonly string[]) => web.startOn([path()], ...args);
const run = (word: string, ...how: readonly string[]) => web.run("--", "python3", "-c", SERVER, word, ...how);

/** Waits until the service answers with this at its path. */
const answered = (word: string): Promise<unknown> =>
  waitFor(word, async () => {
    const talk = await Talk.open(path()).catch(() => null);
    await talk?.isEnded();
    return talk?.heard === word;
  });

/** The process of the worker that was started first. */
const oldest = async (): Promise<number> => (await web.ready()).pid;

describe("the socket's file", () => {
  test("that old workers remove at their end is back after each deploy, and the new ones answer", async () => {
    const crank = await start();
    for (const word of ["one", "two", "three"]) {
      expect(await run(word, "tidy")).toMatchObject({ status: 0 });
      await answered(word);
    }
    await crank.wrote("stderr", "the socket's file was removed, and was restored");
    // It is the same socket: no deploy was needed.
    await web.settled(1);
    expect((await web.status()).generation).toBe(3);
    await answered("three");
  });

  test("that is removed is back at once, is reported in log, events and metrics, and is removed when crank ends", async () => {
    const crank = await start("-metrics", web.path("metrics.sock"));
    await run("one");
    rmSync(path());
    await answered("one");
    await crank.wrote("stderr", "the socket's file was removed, and was restored");
    const events = await web.ctl("events", "-once", "-json");
    expect(events.stdout).toContain('"kind":"socketName"');
    const answer = await fetch("http://localhost/metrics", { unix: web.path("metrics.sock") });
    const scraped = await answer.text();
    expect(scraped).toMatch(/^crank_socket_files_lost_total 1$/m);
    expect(scraped).toMatch(/^crank_socket_reachable\{.*\} 1$/m);
    crank.signal("SIGTERM");
    await crank.ended;
    expect(readdirSync(web.directory).filter((name) => name.endsWith(".sock") || name.endsWith(".ctl"))).toEqual([]);
    expect(readdirSync(web.path("web.run/names"))).toEqual([]);
  });

  test("that is removed with its second name is replaced by that of a new socket, which workers get by a rollout of what runs", async () => {
    const crank = await start();
    await run("one");
    const before = await oldest();
    const spare = web.path("web.run/names/10");
    expect(existsSync(spare)).toBe(true);
    // Other users cannot reach the socket by that name.
    expect(statSync(web.path("web.run/names")).mode & 0o777).toBe(0o700);
    crank.signal("SIGSTOP");
    rmSync(path());
    rmSync(spare);
    crank.signal("SIGCONT");
    await answered("one");
    await crank.wrote("stderr", "a new socket is bound there");
    await waitFor("the old worker to be gone", () => !isAlive(before));
    const now = await web.status();
    expect(now.generation).toBe(2);
    expect(now.sockets[0]?.problem).toBeUndefined();
    rmSync(path());
    await answered("one");
  });

  test("that belongs to a new socket causes rollouts until one succeeds", async () => {
    const crank = await start();
    const broken = web.path("broken");
    const shell = 'test ! -e "$0" || exit 1; exec python3 -c "$1" one';
    await web.run("--", "bash", "-c", shell, broken, SERVER);
    const before = await oldest();
    writeFileSync(broken, "");
    crank.signal("SIGSTOP");
    rmSync(path());
    rmSync(web.path("web.run/names/10"));
    crank.signal("SIGCONT");
    await crank.wrote("stderr", /(rolled back[\s\S]*){2}/i);
    expect((await web.status()).workers.map(({ pid }) => pid)).toContain(before);
    rmSync(broken);
    await answered("one");
    await waitFor("the old worker to be gone", () => !isAlive(before));
  });

  test("in whose place another process listens is left to it, shown in status, and taken back when it is gone", async () => {
    const crank = await start();
    await run("one");
    const other = web.bench.start([
      "python3",
      "-c",
      "import socket,sys,time;s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen();print('up',flush=True);time.sleep(600)",
      `${path()}.other`,
    ]);
    await other.wrote("stdout", "up");
    renameSync(`${path()}.other`, path());
    await crank.wrote("stderr", `another process listens at this path now (pid ${other.pid}, python3)`);
    expect((await web.status()).sockets[0]?.problem).toBe(`process ${other.pid} listens there`);
    expect((await web.ctl("status")).stdout).toContain(`process ${other.pid} listens there`);
    other.signal("SIGKILL");
    await other.ended;
    // A reload checks it, even while the keeper pauses.
    expect(await web.ctl("reload", "-wait")).toMatchObject({ status: 0 });
    await answered("one");
    expect((await web.status()).sockets[0]?.problem).toBeUndefined();
  });

  test("in whose place there is a link is not followed, and comes back when the link is removed", async () => {
    const crank = await start();
    await run("one");
    writeFileSync(web.path("file"), "precious");
    symlinkSync(web.path("file"), web.path("link"));
    renameSync(web.path("link"), path());
    await crank.wrote("stderr", "a file that is not a socket has this path now");
    rmSync(path());
    crank.signal("SIGHUP");
    await answered("one");
  });

  test("that was removed with its directory is back when the directory is", async () => {
    const directory = web.path("d");
    mkdirSync(directory);
    const crank = await web.startOn([join(directory, "app.sock")]);
    await run("one");
    rmSync(directory, { recursive: true });
    await crank.wrote("stderr", "its file was removed, and no new socket can be bound there");
    mkdirSync(directory);
    await waitFor("the file", () => existsSync(join(directory, "app.sock")));
  });
});

test("a crank that adopts workers restores the name that was removed while none ran, and watches it", async () => {
  await start();
  await run("one");
  const pid = await oldest();
  await web.kill();
  rmSync(path());
  const next = await start();
  await next.wrote("stderr", "Adopted 1 of the 1 worker");
  await answered("one");
  expect((await web.status()).workers).toMatchObject([{ pid }]);
  rmSync(path());
  await answered("one");
});

test("a socket that a worker has shut down is replaced by a new one, which a rollout of what runs hands out", async () => {
  const crank = await start();
  const saboteur = SERVER.replace(
    "server = socket.socket(fileno=3)\n",
    "$&if 'shut' in sys.argv: signal.signal(signal.SIGUSR2, lambda *_: server.shutdown(socket.SHUT_RDWR))\n",
  );
  await web.run("--", "python3", "-c", saboteur, "one", "shut");
  process.kill(await oldest(), "SIGUSR2");
  await crank.wrote("stderr", "a new socket is bound there");
  await answered("one");
});

describe("the control socket's file", () => {
  const ctl = (): string => web.path("web.ctl");

  test("that is removed is back at once, even when its second name is removed too", async () => {
    const crank = await start();
    rmSync(ctl());
    await waitFor("crankctl to get through", async () => (await web.ctl("ps")).status === 0);
    crank.signal("SIGSTOP");
    rmSync(ctl());
    rmSync(web.path("web.run/names/1"));
    crank.signal("SIGCONT");
    await waitFor("crankctl to get through", async () => (await web.ctl("ps")).status === 0);
    expect(statSync(ctl()).mode & 0o777).toBe(0o600);
  });

  test("has the mode and group that -ctl gives", async () => {
    await start("-ctl", `${ctl()}?mode=0660&group=0`);
    expect(statSync(ctl())).toMatchObject({ gid: 0 });
    expect(statSync(ctl()).mode & 0o777).toBe(0o660);
  });
});
