// Control clients that send half a line, nothing, nonsense or too much: crank goes on, and so do all other clients.
import { beforeEach, describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { connect } from "node:net";
import { needing, ROOT_USER } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import type { Talk } from "../harness/talk.ts";

const web = eachTest(new Service());
beforeEach(() => web.start());

/** A client that sends this. */
const client = async (words: Uint8Array | string): Promise<Talk> => {
  const talk = await web.control();
  talk.say(words);
  return talk;
};

/** crank runs, answers, and deploys. */
const expectHealth = async (): Promise<void> => {
  expect(isAlive(web.crank.pid)).toBe(true);
  expect(await web.run("--", ...RESPONDER, "one")).toMatchObject({ status: 0 });
};

describe("no other client is harmed by", () => {
  test("half a line and then nothing", async () => {
    await client('{"jsonrpc":"2.0","id":1,"meth');
    await expectHealth();
  });

  test("a connection that sends nothing and stays", async () => {
    for (let number = 0; number < 50; number++) await client("");
    await expectHealth();
  });

  test("two MiB without a newline, which end that connection", async () => {
    const flood = await client(new Uint8Array(2 * 1024 * 1024).fill(120));
    await flood.isEnded();
    await expectHealth();
  });

  test("bytes that are not UTF-8, which are answered with an error", async () => {
    const odd = await client(new Uint8Array([0x7b, 0xff, 0xfe, 0x7d, 0x0a]));
    const [answer = ""] = await odd.hearsLines(1);
    expect(JSON.parse(answer)).toMatchObject({ error: { code: -32700 } });
    await expectHealth();
  });

  test("JSON that is not a valid request, which is answered with an error", async () => {
    const lines = [
      "[]",
      "1",
      '{"jsonrpc":"2.0","id":1,"method":"fly"}',
      '{"jsonrpc":"2.0","id":2,"method":"scale","params":{"to":-1}}',
      '{"jsonrpc":"2.0","id":3,"method":"run","params":{"command":"sh"}}',
    ];
    const odd = await client(`${lines.join("\n")}\n`);
    for (const line of await odd.hearsLines(lines.length)) expect(JSON.parse(line)).toHaveProperty("error.message");
    await expectHealth();
  });

  test("a thousand requests at once, which are all answered in order", async () => {
    const eager = await client(
      Array.from({ length: 1000 }, (_, id) => `{"jsonrpc":"2.0","id":${id},"method":"ps"}\n`).join(""),
    );
    const ids = (await eager.hearsLines(1000)).map((line) => JSON.parse(line).id);
    expect(ids).toEqual(Array.from({ length: 1000 }, (_, id) => id));
    await expectHealth();
  });

  test("a client that sends requests and never reads", async () => {
    const deaf = await web.control();
    deaf.holdBack();
    const line = '{"jsonrpc":"2.0","id":1,"method":"info"}\n';
    deaf.say(line.repeat(5000));
    await expectHealth();
  });

  needing(ROOT_USER).test(
    "a client of another user, which is refused even if the socket's mode lets it in",
    async () => {
      chmodSync(web.directory, 0o711);
      const path = web.path("web.ctl");
      const script = `import os,socket
os.setgid(65534); os.setuid(65534)
s=socket.socket(socket.AF_UNIX)
try:
    s.connect(${JSON.stringify(path)})
except PermissionError:
    print("not let in")
else:
    s.send(b'{"jsonrpc":"2.0","id":1,"method":"shutdown"}\\n'); print(s.recv(4096).decode())`;
      expect((await web.bench.run(["python3", "-c", script])).stdout).toContain("not let in");
      chmodSync(path, 0o666);
      const answer = JSON.parse((await web.bench.run(["python3", "-c", script])).stdout);
      expect(answer).toMatchObject({ error: { code: 3 } });
      expect(answer.error.message).toContain("65534");
      await expectHealth();
    },
  );
});

test("at the limit of descriptors crank continues, and answers again when some are free", async () => {
  const small = web.bench.start([
    "sh",
    "-c",
    `ulimit -n 48; exec ${CRANK} -prefix ${web.directory} -name small -bind 127.0.0.1:0`,
  ]);
  await small.wrote("stderr", "Listening on");
  await small.wrote("stderr", "descriptors");
  const held = Array.from({ length: 80 }, () => {
    const socket = connect(web.path("small.ctl"));
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
  expect(await web.bench.ctl("small", "info")).toMatchObject({ status: 0 });
  expect(await web.bench.ctl("small", "run", "-wait", "--", ...RESPONDER, "one")).toMatchObject({ status: 0 });
});
