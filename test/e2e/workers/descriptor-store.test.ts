// The service manager keeps crank's sockets while crank restarts: no connection is refused, whatever ended it.
import { describe, expect, test } from "bun:test";
import { existsSync, statSync, unlinkSync } from "node:fs";
import { createConnection } from "node:net";
import { compiled } from "../harness/apps.ts";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Load } from "../harness/load.ts";
import { freePorts } from "../harness/ports.ts";
import { Service } from "../harness/service.ts";
import { ServiceManager } from "../harness/service-manager.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

const run = (version: string) => web.run("--", compiled("worker"), version);

/** The port of the last crank; its log and its messages to the service manager arrive separately. */
const portOf = (manager: ServiceManager): Promise<number> =>
  waitFor("the port", () => portIn(manager.log) || undefined);

const portIn = (log: string): number => Number(/Listening on tcp\S*:(\d+)\n(?!.*Listening on)/s.exec(log)?.[1]);

/** One request to the worker, and its answer; the connection may have to wait for both. */
const ask = (
  where: { readonly port: number } | { readonly path: string },
): { readonly connected: Promise<void>; readonly answer: Promise<string> } => {
  const connection = "port" in where ? createConnection(where.port, "127.0.0.1") : createConnection(where.path);
  connection.end("once\n");
  const connected = new Promise<void>((done, fail) => connection.once("connect", done).once("error", fail));
  const answer = new Promise<string>((done, fail) => {
    let text = "";
    connection.on("data", (bytes) => {
      text += bytes.toString();
    });
    connection.once("close", () => done(text)).once("error", fail);
  });
  // A test that only connects reads no answer.
  answer.catch(() => {});
  connected.catch(() => {});
  return { connected, answer };
};

describe("no connection is refused or reset", () => {
  test.each(["SIGRTMIN+1", "SIGKILL"])("by restarts on %s under load", async (signal) => {
    const manager = await ServiceManager.of(web.bench, ["-bind", "127.0.0.1:0"]);
    await manager.startReady();
    expect((await run("v1")).status).toBe(0);
    const port = await portOf(manager);
    const load = new Load({ port, anew: 20, pauseMs: 5, stays: 50, talkMs: 50 });
    await waitFor("the staying clients", () => load.staying === 50);
    for (let round = 0; round < 5; round++) {
      const { answered } = load.counts;
      manager.order(`restart ${signal}`);
      const { passed } = await manager.next("started");
      expect(passed).toHaveLength(1);
      await manager.hears("READY", "1");
      await waitFor("more answers", () => load.counts.answered > answered + 50);
    }
    expect(await load.stop()).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    expect(await portOf(manager)).toBe(port);
  });

  test("while no crank runs: a client that connects then is served by the next one", async () => {
    const manager = await ServiceManager.of(web.bench, ["-bind", "127.0.0.1:0"]);
    await manager.startReady();
    expect((await run("v1")).status).toBe(0);
    const port = await portOf(manager);
    const worker = Number((await ask({ port }).answer).split(" ")[1]);
    process.kill(worker, "SIGKILL");
    expect((await manager.next("ended")).status).toBe(1);
    const { connected, answer } = ask({ port });
    await connected;
    await manager.startReady();
    expect(await answer).toStartWith("v1 ");
  });

  test("on a unix socket, whose file stays", async () => {
    const path = web.path("web.sock");
    const manager = await ServiceManager.of(web.bench, ["-bind", `${path}?mode=0660`]);
    await manager.startReady();
    expect((await run("v1")).status).toBe(0);
    const { ino } = statSync(path);
    manager.order("restart SIGRTMIN+1");
    await manager.next("started");
    await manager.hears("READY", "1");
    expect(statSync(path).ino).toBe(ino);
    expect(await ask({ path }).answer).toStartWith("v1 ");
  });
});

describe("a socket from the store", () => {
  test("is found by its address, whatever the order of -bind is now, and is given up if no -bind wants it", async () => {
    const [first, second, third] = [1, 2, 3].map((number) => web.path(`${number}.sock`));
    const binds = web.path("binds");
    const command = ["sh", "-c", `exec "$@" $(cat ${binds})`, "sh", CRANK];
    await Bun.write(binds, `-bind ${first} -bind ${second}`);
    const manager = await ServiceManager.of(web.bench, [], { command });
    await manager.startReady();
    await Bun.write(binds, `-bind ${third} -bind ${first}`);
    manager.order("restart SIGRTMIN+1");
    await manager.next("started");
    await manager.hears("READY", "1");
    manager.order("store");
    const { names } = await manager.next("store");
    expect([...names].sort()).toEqual([first, third].map((path) => `crank-bound-unix%3A//${path}`));
    await expect(ask({ path: second ?? "" }).connected).rejects.toThrow("ECONNREFUSED");
    for (const path of [first, third]) await ask({ path: path ?? "" }).connected;
  });

  test("is opened again when a unix socket's file is gone", async () => {
    const path = web.path("web.sock");
    const manager = await ServiceManager.of(web.bench, ["-bind", path]);
    await manager.startReady();
    unlinkSync(path);
    manager.order("restart SIGRTMIN+1");
    await manager.next("started");
    await manager.hears("READY", "1");
    expect(existsSync(path)).toBe(true);
    await ask({ path }).connected;
    manager.order("store");
    expect((await manager.next("store")).names).toHaveLength(1);
    manager.order("restart SIGKILL");
    await manager.next("started");
    await manager.hears("READY", "1");
    await ask({ path }).connected;
  });

  test.each(["listen", "file"])("is not used when it is not what its name says (%s)", async (what) => {
    const [port = 0] = await freePorts(1);
    const manager = await ServiceManager.of(web.bench, ["-bind", `127.0.0.1:${port}`]);
    const name = `crank-bound-tcp%3A//127.0.0.1%3A${port}`;
    manager.order(what === "listen" ? `listen ${name} 127.0.0.1 0` : `file ${name}`);
    await manager.startReady();
    const warning = `127.0.0.1:${port}: the socket from the service manager's descriptor store is another one`;
    await waitFor("a warning", () => manager.log.includes(warning));
    expect(await portOf(manager)).toBe(port);
    await ask({ port }).connected;
    await waitFor("its removal", () => manager.said.some((said) => said.FDSTOREREMOVE === "1" && said.FDNAME === name));
  });
});
