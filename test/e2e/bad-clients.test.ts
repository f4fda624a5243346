// Control clients that say half of something, nothing, nonsense or too much: crank goes on, and so does everybody else.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { needing, ROOT_USER } from "../needs.ts";
import { Bench, CRANK, isAlive, ROOT, type Running, waitFor } from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");

let bench: Bench;
let crank: Running;
let sockets: Socket[] = [];
beforeEach(async () => {
  bench = new Bench();
  crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await bench.clean();
});

/** A client that says what it is told and keeps what it hears. */
const client = (say: Uint8Array | string): { heard(): string; readonly closed: Promise<void> } => {
  let heard = "";
  const socket = connect(join(bench.directory, "web.ctl"), () => socket.write(say));
  sockets.push(socket);
  socket.on("data", (bytes) => {
    heard += bytes.toString();
  });
  const closed = new Promise<void>((resolve) => {
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });
  return { heard: () => heard, closed };
};

/** crank is there, answers, and deploys. */
const expectHealth = async (): Promise<void> => {
  expect(isAlive(crank.pid)).toBe(true);
  expect(await bench.ctl("web", "run", "-wait", "--", "python3", RESPONDER, "one")).toMatchObject({ status: 0 });
};

describe("nothing that a control client does harms anybody else", () => {
  test("half a line, and then nothing", async () => {
    client('{"jsonrpc":"2.0","id":1,"meth');
    await expectHealth();
  });

  test("a connection that says nothing and stays", async () => {
    for (let number = 0; number < 50; number++) client("");
    await expectHealth();
  });

  test("two MiB without a newline, which end that connection", async () => {
    const flood = client(new Uint8Array(2 * 1024 * 1024).fill(120));
    await flood.closed;
    await expectHealth();
  });

  test("bytes that are no UTF-8, which are answered with an error", async () => {
    const odd = client(new Uint8Array([0x7b, 0xff, 0xfe, 0x7d, 0x0a]));
    await waitFor("an answer", () => odd.heard().includes("\n"));
    expect(JSON.parse(odd.heard())).toMatchObject({ error: { code: -32700 } });
    await expectHealth();
  });

  test("what is JSON but no request, or no method, or has wrong parameters, which is answered with an error", async () => {
    const lines = [
      "[]",
      "1",
      '{"jsonrpc":"2.0","id":1,"method":"fly"}',
      '{"jsonrpc":"2.0","id":2,"method":"scale","params":{"to":-1}}',
      '{"jsonrpc":"2.0","id":3,"method":"run","params":{"command":"sh"}}',
    ];
    const odd = client(`${lines.join("\n")}\n`);
    await waitFor("all answers", () => odd.heard().split("\n").length === lines.length + 1);
    for (const line of odd.heard().trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("error.message");
    await expectHealth();
  });

  test("a thousand requests at once, which are all answered, in their order", async () => {
    const eager = client(
      Array.from({ length: 1000 }, (_, id) => `{"jsonrpc":"2.0","id":${id},"method":"ps"}\n`).join(""),
    );
    await waitFor("a thousand answers", () => eager.heard().split("\n").length === 1001);
    const ids = eager
      .heard()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(ids).toEqual(Array.from({ length: 1000 }, (_, id) => id));
    await expectHealth();
  });

  test("a client that asks and never reads", async () => {
    const deaf = connect(join(bench.directory, "web.ctl"));
    sockets.push(deaf);
    deaf.on("error", () => {});
    deaf.pause();
    const line = '{"jsonrpc":"2.0","id":1,"method":"info"}\n';
    deaf.write(line.repeat(5000));
    await expectHealth();
  });

  needing(ROOT_USER).test("a client of another user, who is refused even if the socket lets them in", async () => {
    chmodSync(bench.directory, 0o711);
    const path = join(bench.directory, "web.ctl");
    const script = `import os,socket
os.setgid(65534); os.setuid(65534)
s=socket.socket(socket.AF_UNIX)
try:
    s.connect(${JSON.stringify(path)})
except PermissionError:
    print("not let in")
else:
    s.send(b'{"jsonrpc":"2.0","id":1,"method":"shutdown"}\\n'); print(s.recv(4096).decode())`;
    expect((await bench.run(["python3", "-c", script])).stdout).toContain("not let in");
    chmodSync(path, 0o666);
    const answer = JSON.parse((await bench.run(["python3", "-c", script])).stdout);
    expect(answer).toMatchObject({ error: { code: 3 } });
    expect(answer.error.message).toContain("65534");
    await expectHealth();
  });
});

test("at the limit of descriptors crank goes on, and answers again when there are some", async () => {
  const small = bench.start([
    "sh",
    "-c",
    `ulimit -n 48; exec ${CRANK} -prefix ${bench.directory} -name small -bind 127.0.0.1:0`,
  ]);
  await waitFor("its start", () => small.stderr().includes("Listening on"));
  await waitFor("the warning", () => small.stderr().includes("descriptors"));
  const held = Array.from({ length: 80 }, () => {
    const socket = connect(join(bench.directory, "small.ctl"));
    socket.on("error", () => {});
    return socket;
  });
  await Promise.all(
    held.map(
      (socket) =>
        new Promise((resolve) =>
          socket.connecting ? socket.once("connect", resolve).once("error", resolve) : resolve(null),
        ),
    ),
  );
  expect(isAlive(small.pid)).toBe(true);
  for (const socket of held) socket.destroy();
  expect(await bench.ctl("small", "info")).toMatchObject({ status: 0 });
  expect(await bench.ctl("small", "run", "-wait", "--", "python3", RESPONDER, "one")).toMatchObject({ status: 0 });
});
