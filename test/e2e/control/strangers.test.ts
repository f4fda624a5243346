// Connections to the control socket by clients without permission: they do not lock the owner out.
import { beforeEach, describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { needing, ROOT_USER } from "../../needs.ts";
import { CRANKCTL, ROOT, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { freePorts } from "../harness/ports.ts";
import { Service } from "../harness/service.ts";

const EINHORN_WORKER = join(ROOT, "test/apps/einhorn/worker.py");
const NOBODY = 65534;
/** More than the limit of connections in all. */
const CROWD = 1100;

const web = eachTest(new Service());
// Another user must be able to reach it.
beforeEach(() => chmodSync(web.directory, 0o711));

/** Opens this many connections, sends something (or nothing) on each, and keeps them all until it is ended. */
const CROWDING = `import os, resource, socket, sys, time
address, user, count, word = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode()
resource.setrlimit(resource.RLIMIT_NOFILE, (2048, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
os.setgroups([]); os.setgid(user); os.setuid(user)
crowd = []
for _ in range(count):
    if address.startswith("/"):
        end = socket.socket(socket.AF_UNIX); end.connect(address)
    else:
        end = socket.create_connection(("127.0.0.1", int(address)))
    end.sendall(word); crowd.append(end)
print("here", flush=True)
time.sleep(600)`;

const crowd = async (address: string, user: number, word: string): Promise<Running> => {
  const running = web.bench.start(["python3", "-c", CROWDING, address, String(user), String(CROWD), word]);
  await running.wrote("stdout", "here");
  return running;
};

const webSocketFile = (): string => web.path("web.ctl");

/** The owner's request, which must be answered while the crowd stays. */
const expectAnswered = async (command: readonly string[], env: Record<string, string> = {}): Promise<void> => {
  expect(await web.bench.run(["timeout", "25", CRANKCTL, ...command, "ps"], { env })).toMatchObject({ status: 0 });
};

needing(ROOT_USER).describe("the owner is answered despite more connections than there is room for", () => {
  test("over tcp that send nothing", async () => {
    const [port = 0] = await freePorts(1);
    const uri = `127.0.0.1:${port}`;
    const secret = { CRANK_CTL_TOKEN: "secret" };
    await web.startWith({ env: secret }, "-ctl", uri);
    await crowd(String(port), 0, "");
    await expectAnswered(["-ctl", uri], secret);
  });

  test.each([
    ["send nothing", ""],
    ["request what they may not have", '{"jsonrpc":"2.0","id":1,"method":"shutdown"}\n'],
    ["send what crank does not understand", "hello\n"],
    ["and acknowledge", '{"command":"worker:ack","pid":1}\n'],
  ])("of another user that %s", async (_what, word) => {
    await web.start();
    chmodSync(webSocketFile(), 0o666);
    await crowd(webSocketFile(), NOBODY, word);
    await expectAnswered(web.own);
  });

  test("of another user under a front end with its own protocol", async () => {
    const path = web.path("e.sock");
    const master = web.bench.start([join(ROOT, "bin/einhyrningsins"), "-d", path, "python3", EINHORN_WORKER, "one"]);
    await master.wrote("stdout", "is here");
    chmodSync(path, 0o666);
    await crowd(path, NOBODY, '{"command":"worker:ack","pid":1}\n');
    await expectAnswered(["-ctl", path]);
  });
});

describe("wrong tokens on a tcp control address", () => {
  test("are logged, slow their address down, and do not lock out a client with the right one", async () => {
    const [port = 0] = await freePorts(1);
    const uri = `127.0.0.1:${port}`;
    const crank = await web.startWith({ env: { CRANK_CTL_TOKEN: "secret" } }, "-ctl", uri);
    let answered = 0;
    const line = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "authenticate", params: { token: "guess" } })}\n`;
    const guesses = Array.from({ length: 60 }, () =>
      Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          open: (socket) => {
            socket.write(line);
          },
          data: () => {
            answered += 1;
          },
          error: () => {},
        },
      }),
    );
    for (const guess of guesses) await guess.catch(() => {});
    await crank.wrote("stderr", /WARNING: 127\.0\.0\.1 sent a wrong token once; its next connection is delayed by/);
    // Connections that arrived with the first are answered one by one, after pauses that grow up to 10 s.
    expect(answered).toBeLessThan(30);
    const begun = Date.now();
    const asked = [CRANKCTL, "-ctl", uri, "info"];
    expect(await web.bench.run(asked, { env: { CRANK_CTL_TOKEN: "secret" } })).toMatchObject({ status: 0 });
    expect(Date.now() - begun).toBeGreaterThan(150);
    expect(crank.stderr().match(/wrong token/g)?.length).toBeLessThan(8);
  });
});
