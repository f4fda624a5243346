// Sockets that the service manager opens: Debian's systemd-socket-activate starts crank as systemd would.
import { describe, expect, test } from "bun:test";
import { compiled } from "../harness/apps.ts";
import { CRANK, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { freePorts } from "../harness/ports.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

/** Asks until there is an answer: a connection waits in the queue as long as needed. */
const ask = (port: number): Promise<string> =>
  new Promise((done, fail) => {
    let text = "";
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => {
          socket.write("once\n");
        },
        data: (_, bytes) => {
          text += bytes.toString();
        },
        close: (_, error) => (error ? fail(error) : done(text)),
      },
    }).catch(fail);
  });

type Activated = { readonly crank: Running; readonly first: Promise<string> };

/** Opens the ports; the first connection to the first of them starts crank. */
const activate = async (ports: readonly number[], names: string, command: readonly string[]): Promise<Activated> => {
  const crank = web.bench.start([
    "systemd-socket-activate",
    ...ports.flatMap((port) => ["-l", `127.0.0.1:${port}`]),
    ...(names === "" ? [] : [`--fdname=${names}`]),
    ...command,
  ]);
  await crank.wrote("stderr", `:${ports.at(-1)} as ${2 + ports.length}`);
  return { crank, first: ask(ports[0] ?? 0).catch(() => "") };
};

const CRANK_WEB = (...args: string[]): string[] => [CRANK, ...web.own, ...args];

test("the connection that started crank is answered by the first worker that is deployed", async () => {
  const ports = await freePorts(2);
  const { crank, first } = await activate(ports, "http:admin", CRANK_WEB("-bind", "systemd:http", "-bind", "systemd"));
  await crank.wrote("stderr", `Listening on tcp4://127.0.0.1:${ports[1]}`);
  const worker = `echo names=$LISTEN_FDNAMES fds=$LISTEN_FDS >&2; exec ${compiled("worker")} v1`;
  expect(await web.run("--", "sh", "-c", worker)).toMatchObject({ status: 0 });
  expect(await first).toStartWith("v1 ");
  expect(await ask(ports[0] ?? 0)).toStartWith("v1 ");
  await crank.wrote("stdout", "names=http:admin fds=2");
  expect((await web.run("--", compiled("worker"), "v2")).status).toBe(0);
  // The worker before may still accept until it has seen its stop signal.
  await waitFor("an answer of v2", async () => (await ask(ports[0] ?? 0)).startsWith("v2 "));
  crank.signal("SIGTERM");
  expect(await crank.ended).toMatchObject({ status: 0 });
});

describe("with sockets that it cannot use crank ends with status 1 and a sentence:", () => {
  const ended = async (names: string, command: readonly string[]): Promise<string> => {
    const { crank } = await activate(await freePorts(2), names, command);
    const { status, stderr } = await crank.ended;
    expect(status).toBe(1);
    const own = stderr.split("\n").filter((line) => line.startsWith("crank: "));
    expect(own).toHaveLength(1);
    return own[0] ?? "";
  };
  /** Started by a shell that changes systemd's variables. */
  const through = (change: string, bind: string): string[] => [
    "sh",
    "-c",
    `${change} exec "$@"`,
    "sh",
    ...CRANK_WEB("-bind", bind),
  ];

  test("a name that was not passed", async () => {
    expect(await ended("http:admin", CRANK_WEB("-bind", "systemd:https"))).toContain("only http, admin");
  });

  test("LISTEN_PID of another process", async () => {
    expect(await ended("", through("LISTEN_PID=1", "systemd"))).toContain('LISTEN_PID is "1", and crank is process');
  });

  test.each(["http", "a:b:c"])("a name, when LISTEN_FDNAMES is %j for two sockets", async (names) => {
    expect(await ended("", through(`LISTEN_FDNAMES=${names}`, "systemd:http"))).toContain("the names are ignored");
  });

  test("one descriptor twice", async () => {
    const command = CRANK_WEB("-bind", "fd://4", "-bind", "systemd");
    expect(await ended("a:b", [...command, "-bind", "systemd:b"])).toContain("descriptor 4 is already used by fd://4");
  });

  test("the address of one of them, given instead of the socket", async () => {
    const ports = await freePorts(1);
    const { crank } = await activate(ports, "http", CRANK_WEB("-bind", `127.0.0.1:${ports[0]}`));
    expect((await crank.ended).stderr).toContain("-bind systemd takes them (http)");
  });
});

describe("crank continues with a warning", () => {
  test("when LISTEN_FDNAMES has too few names and all sockets are wanted", async () => {
    const ports = await freePorts(2);
    const change = "export LISTEN_FDNAMES=http;";
    const command = ["sh", "-c", `${change} exec "$@"`, "sh", ...CRANK_WEB("-bind", "systemd")];
    const { crank } = await activate(ports, "", command);
    await crank.wrote("stderr", `Listening on tcp4://127.0.0.1:${ports[1]}`);
    await crank.wrote("stderr", "LISTEN_FDNAMES has 1 names for 2 sockets");
  });

  test("when LISTEN_PID is another process's and no passed socket is wanted", async () => {
    const running = await web.startWith({ env: { LISTEN_FDS: "2", LISTEN_PID: "1" } });
    await running.wrote("stderr", "WARNING: LISTEN_PID");
  });

  test("and takes both of two sockets with one name, in order", async () => {
    const ports = await freePorts(3);
    const { crank } = await activate(ports, "http:admin:http", CRANK_WEB("-bind", "systemd:http"));
    await crank.wrote("stderr", `Listening on tcp4://127.0.0.1:${ports[2]}`);
    expect(crank.stderr()).not.toContain(`Listening on tcp4://127.0.0.1:${ports[1]}`);
    expect((await web.ctl("status")).stdout).toMatch(/http .*\n.*http /);
  });
});
