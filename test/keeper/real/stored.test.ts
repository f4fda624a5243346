// Descriptors that workers store for later ones, as the real keeper keeps them: polled for a hangup, passed at a start or
// on a notify socket, and through a re-exec.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { DrivenKeeper, python, textOf } from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";

let driven: DrivenKeeper;
beforeEach(async () => {
  driven = new DrivenKeeper();
  await driven.start();
});
afterEach(() => driven.clean());

/** A worker in Python that may send descriptors: lines, with `send(text, *fds)` and a socket pair `ours`, `theirs`. */
const sender = (worker: number, ...lines: readonly string[]) => {
  const head = [
    "import os, signal, socket",
    "notify = socket.socket(fileno=3)",
    "def send(text, *fds): socket.send_fds(notify, [text.encode()], fds)",
    "ours, theirs = socket.socketpair()",
  ];
  return plainSpawn(worker, python([...head, ...lines].join("\n")), { file: "/usr/bin/env", notifyFd: 3 });
};

/** Keeps the next datagram's descriptor as `handle`. */
const keep = async (handle: number, poll: 0 | 1): Promise<void> => {
  const { seq, descriptors } = await driven.eventually("datagram");
  expect(descriptors).toBe(1);
  driven.commit([
    { kind: "keepDescriptor", event: seq, index: 0, handle },
    { kind: "storeHandle", handle, poll },
  ]);
  expect(await driven.event("opened")).toMatchObject({ handle });
};

const openDescriptors = (): number => readdirSync(`/proc/${driven.pid}/fd`).length;

describe("a stored descriptor", () => {
  test("whose peer hangs up is reported once", async () => {
    driven.commit([
      sender(1, "send('x', ours.fileno())", "notify.recv(9)", "theirs.close()", "ours.close()", "notify.recv(9)"),
    ]);
    await keep(70, 1);
    const say = { kind: "sendDatagram", handle: 0, worker: 1, bytes: new Uint8Array([1]), handles: [] } as const;
    driven.commit([say]);
    expect(await driven.event("hungUp")).toMatchObject({ handle: 70 });
    driven.commit([{ kind: "barrier", token: 1 }]);
    await driven.event("reached");
    const before = openDescriptors();
    driven.commit([
      { kind: "closeHandle", handle: 70 },
      { kind: "barrier", token: 2 },
    ]);
    await driven.event("reached");
    expect(openDescriptors()).toBe(before - 1);
  });

  test("that is not polled, or is a file, is kept whatever happens to its peer", async () => {
    driven.commit([
      sender(
        1,
        "send('x', ours.fileno())",
        "theirs.close()",
        "notify.recv(9), send('y', os.open('/etc/passwd', 0))",
        "notify.recv(9), send('z', 0)",
        "signal.pause()",
      ),
    ]);
    const next = { kind: "sendDatagram", handle: 0, worker: 1, bytes: new Uint8Array([1]), handles: [] } as const;
    await keep(70, 0);
    driven.commit([next]);
    await keep(71, 1);
    driven.commit([next]);
    await keep(72, 1);
    driven.commit([{ kind: "barrier", token: 1 }]);
    await driven.event("reached");
  });

  test("whose last close would wait for its peer is closed without waiting (SO_LINGER)", async () => {
    driven.commit([
      sender(
        1,
        "import struct",
        "l = socket.create_server(('127.0.0.1', 0))",
        "c = socket.create_connection(l.getsockname())",
        "far, _ = l.accept()",
        "c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 120))",
        "c.setblocking(False)",
        "try:",
        "  while True: c.send(bytes(65536))",
        "except BlockingIOError: pass",
        "send('x', c.fileno())",
        // Not the last descriptor, so this does not wait; the peer never reads.
        "notify.recv(9), c.close(), notify.send(b'closed'), signal.pause()",
      ),
    ]);
    await keep(70, 0);
    driven.commit([{ kind: "sendDatagram", handle: 0, worker: 1, bytes: new Uint8Array([1]), handles: [] }]);
    await driven.eventually("datagram");
    const before = performance.now();
    driven.commit([
      { kind: "closeHandle", handle: 70 },
      { kind: "barrier", token: 1 },
    ]);
    await driven.event("reached");
    expect(performance.now() - before).toBeLessThan(20_000);
  });

  test("that listens and is shut down stays shut down", async () => {
    driven.commit([
      sender(
        1,
        "l = socket.create_server(('127.0.0.1', 0))",
        "send('x', l.fileno())",
        "notify.recv(9)",
        "l.shutdown(2)",
        "signal.pause()",
      ),
    ]);
    await keep(70, 1);
    driven.commit([{ kind: "sendDatagram", handle: 0, worker: 1, bytes: new Uint8Array([1]), handles: [] }]);
    expect(await driven.event("hungUp")).toMatchObject({ handle: 70 });
  });

  test("is passed to a later worker at the given number, and the connection stays open", async () => {
    driven.commit([sender(1, "send('x', ours.fileno())", "theirs.sendall(b'waits in the queue')", "signal.pause()")]);
    await keep(70, 1);
    const reader = plainSpawn(2, python("import socket; print(socket.socket(fileno=5).recv(99).decode())"), {
      file: "/usr/bin/env",
      descriptors: [70, 5],
    });
    driven.commit([reader, { kind: "closeHandle", handle: 70 }]);
    for (;;) {
      const exited = await driven.eventually("exited");
      if (exited.worker !== 2) continue;
      expect(textOf(exited.tail)).toBe("waits in the queue\n");
      break;
    }
  });

  test("survives a re-exec and is still polled", async () => {
    driven.commit([
      sender(1, "send('x', ours.fileno())", "notify.recv(9)", "theirs.close()", "ours.close()", "signal.pause()"),
    ]);
    await keep(70, 1);
    driven.commit([{ kind: "execute", path: `${driven.keeper.home}/bin/crank` }]);
    const hello = await driven.nextLife();
    expect(hello.filter((message) => message.kind === "helloHandle")).toMatchObject([{ handle: 70 }]);
    driven.attach();
    driven.commit([{ kind: "sendDatagram", handle: 0, worker: 1, bytes: new Uint8Array([1]), handles: [] }]);
    expect(await driven.eventually("hungUp")).toMatchObject({ handle: 70 });
  });
});

test("descriptors are sent to a worker by name, and none is left in the keeper", async () => {
  const receive = [
    "notify.send(b'go')",
    "data, fds, _, _ = socket.recv_fds(notify, 999, 9)",
    "print(data.decode(), len(fds), os.read(fds[0], 99).decode())",
  ];
  driven.commit([
    sender(1, "send('x', ours.fileno())", "theirs.sendall(b'hello')", "os.set_inheritable(0, True)", "signal.pause()"),
  ]);
  await keep(70, 1);
  driven.commit([sender(2, ...receive)]);
  await driven.eventually("datagram");
  const before = openDescriptors();
  driven.commit([{ kind: "sendDescriptors", worker: 2, bytes: new TextEncoder().encode("FDNAMES=a"), handles: [70] }]);
  expect(await driven.event("descriptorsSent")).toMatchObject({ worker: 2 });
  expect(openDescriptors()).toBe(before - 1);
  expect(textOf((await driven.event("exited")).tail)).toBe("FDNAMES=a 1 hello\n");
});

test("a worker's wait for an answer ends after some time without a supervisor", async () => {
  driven.commit([sender(1, "try: notify.recv(9)", "except BlockingIOError: print('nobody')")]);
  expect(textOf((await driven.eventually("exited")).tail)).toBe("nobody\n");
});
