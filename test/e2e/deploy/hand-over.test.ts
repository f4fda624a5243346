// Connections that a worker hands over by their numbers, because it cannot send descriptors itself: the library's servers on
// Node and Bun, and how crank handles wrong numbers.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { transfer } from "../../../examples/hand-over/client.ts";
import { RUNTIMES } from "../../worker/runtimes.ts";
import { ROOT, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { HANDOVER } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const SERVER = join(ROOT, "examples/hand-over/server.mjs");
const NODE = RUNTIMES.get("Node") ?? [];
const DEPLOYS = 10;

const web = eachTest(new Service());

const reload = async (): Promise<void> => {
  expect(await web.ctl("reload", "-wait")).toMatchObject({ status: 0, stderr: "" });
};

/** This many bytes there and back on one connection, in transit during each of the deploys, and handed over in each. */
const expectEqualThrough = async (deploys: number, crank: Running, total: number): Promise<void> => {
  let done = 0;
  let isServed = false;
  const transferred = transfer({ host: "127.0.0.1", port: web.port }, total, (heard) => {
    isServed ||= heard > 0;
    return (total * (done + 1)) / (deploys + 1);
  });
  // Awaited when the deploys are over.
  transferred.catch(() => {});
  // A worker that gets its stop signal before it has accepted the connection leaves it in the queue and has nothing to hand
  // over.
  await waitFor("the first bytes", () => isServed);
  for (; done < deploys; done++) await reload();
  const { sent, heard } = await transferred;
  expect(heard).toBe(sent);
  const served = (): string[] => crank.stdout().match(/gone, .*\n/g) ?? [];
  await waitFor("the last worker's last line", () => served().length === deploys);
  expect(served()).toEqual(Array.from({ length: deploys }, () => "gone, 1 of 1 connections handed over\n"));
};

test("1 GiB goes there and back on one connection through ten deploys of a server on Node", async () => {
  const crank = await web.start();
  await web.deploy("-hand-over", "--", ...NODE, SERVER);
  await expectEqualThrough(DEPLOYS, crank, 2 ** 30);
}, 180_000);

test("64 MiB goes there and back on one connection through ten deploys of a server on Bun", async () => {
  const crank = await web.start();
  await web.deploy("-hand-over", "--", process.execPath, SERVER);
  await expectEqualThrough(DEPLOYS, crank, 2 ** 26);
});

test("a hundred idle connections are handed over, and those above the limit are not lost", async () => {
  const crank = await web.start();
  await web.deploy("-hand-over", "-fd-store", "90", "--", ...NODE, SERVER);
  const clients = await Promise.all(Array.from({ length: 100 }, () => web.talk()));
  for (const [number, client] of clients.entries()) client.say(`${number}.`);
  for (const [number, client] of clients.entries()) await client.hears(`${number}.`);
  await reload();
  await crank.wrote("stdout", "serving, 90 connections taken over");
  await waitFor("those that were asked to go", () => clients.filter(({ ending }) => ending === "closed").length === 10);
  expect(clients.map(({ ending }) => ending)).not.toContain("reset");
  for (const client of clients.filter(({ ending }) => ending === "open")) {
    client.say("again.");
    await client.hears("again.");
    client.hangUp();
  }
});

test("crank takes the descriptor of a process that is not its own child, too", async () => {
  await web.start();
  await web.deploy(
    "-hand-over",
    "--",
    "bash",
    "-c", // The child holds the descriptors: a shell passes them on.
    'trap "kill -TERM \\$child" TERM; (export LISTEN_PID=$BASHPID; exec "$@") & child=$!; wait; wait',
    "bash",
    ...NODE,
    SERVER,
  );
  const client = await web.talk();
  client.say("one.");
  await client.hears("one.");
  await reload();
  client.say("two.");
  await client.hears("two.");
  client.hangUp();
});

test("a worker without a successor keeps its connection and ends it as usual", async () => {
  const crank = await web.start();
  await web.deploy("--", ...NODE, SERVER);
  const client = await web.talk();
  client.say("one.");
  await client.hears("one.");
  await reload();
  expect(await client.isEnded()).toBe("closed");
  await crank.wrote("stdout", "gone, 0 of 1 connections handed over");
});

test("a worker that the next crank adopted hands over as before", async () => {
  const service = new Service({ port: "fixed" });
  await service.open();
  try {
    await service.start();
    await service.deploy("-hand-over", "--", ...HANDOVER, "v1", "numbers");
    const client = await service.talk();
    client.say("one\n");
    await client.hears("v1 one\n");
    // Twice: what the second one finds is what the first one made.
    for (let killed = 1; killed <= 2; killed++) {
      const crank = await service.replace();
      await crank.wrote("stderr", "Adopted 1 ");
    }
    await service.deploy("--", ...HANDOVER, "v2");
    await service.crank.wrote("stdout", /heard FDSTORED=1 FDNUMBER=\d+$/m);
    client.say("two\n");
    await client.hears("v2 two\n");
  } finally {
    await service.clean();
  }
});

describe("a number", () => {
  /** A worker that sends these lines at its stop signal, and prints what it receives. */
  const leaving = (...said: readonly string[]): string[] => {
    const lines = [
      "import os, signal, socket",
      "notify = socket.socket(fileno=int(os.environ['NOTIFY_FD']))",
      "def leave(*_):",
      `  for said in ${JSON.stringify(said)}:`,
      "    notify.send(said.encode()), print('heard', notify.recv(999).decode().replace('\\n', ' '), flush=True)",
      "  os._exit(0)",
      "signal.signal(signal.SIGTERM, leave)",
      "notify.send(b'READY=1')",
      "while True: signal.pause()",
    ];
    return ["python3", "-c", lines.join("\n")];
  };

  test("that is not an open descriptor is refused with a reason, and nothing is stored", async () => {
    const crank = await web.start();
    await web.deploy(
      "-hand-over",
      "--",
      ...leaving("FDSTORE=1\nFDNUMBER=777", "FDSTORE=1\nFDNUMBER=-1", "FDSTORE=1\nFDNUMBER=", "FDSTORE=1\nFDNUMBER=0"),
    );
    await web.deploy("--", ...HANDOVER, "v2");
    const heard = (): string[] => crank.stdout().match(/heard .*\n/g) ?? [];
    await waitFor("four answers", () => heard().length >= 4);
    expect(heard().map((line) => line.trimEnd())).toEqual([
      "heard FDREFUSED=it is not open FDNUMBER=777",
      "heard FDREFUSED=it is not a number FDNUMBER=-1",
      "heard FDREFUSED=it is not a number FDNUMBER=",
      "heard FDSTORED=1 FDNUMBER=0",
    ]);
    await crank.wrote("stdout", "given stored\n");
  });

  test("is refused while crank shuts down", async () => {
    const crank = await web.start();
    await web.deploy("-hand-over", "--", ...leaving("FDSTORE=1\nFDNUMBER=0"));
    await web.ctl("shutdown", "-wait");
    expect((await crank.ended).stdout).toContain("heard FDREFUSED=crank is shutting down FDNUMBER=0");
  });
});
