// Datagrams from workers and to them, as a real keeper passes them on.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { AF_UNIX, unixAddress } from "../../../src/supervisor/os/sockaddr.ts";
import { bytesOf, DrivenKeeper, openTcp, textOf, until } from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

describe("datagrams", () => {
  const sender = (code: string): string[] => ["/usr/bin/env", "python3", "-c", `import os,socket,time,array\n${code}`];

  test("arrive from the pair and from the path, with their sender and their descriptors", async () => {
    await keeper.start();
    const code = `
a=socket.socket(fileno=3)
socket.send_fds(a,[b"FDSTORE=1"],[0,1])
b=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)
b.sendto(b"x"*9000,os.environ["P"])
time.sleep(600)`;
    keeper.commit([
      plainSpawn(1, sender(code), { notifyFd: 3, notifyPath: keeper.path("n"), env: [["P", keeper.path("n")]] }),
    ]);
    const { pid } = await keeper.event("spawned");
    const first = await keeper.event("datagram");
    expect(first).toMatchObject({ worker: 1, source: 0, pid, uid: process.getuid?.(), descriptors: 2, flags: 0 });
    const second = await keeper.event("datagram");
    expect(second).toMatchObject({ source: 1, pid, flags: 1 });
    expect(second.bytes.length).toBeLessThanOrEqual(8192);
    keeper.commit([
      { kind: "keepDescriptor", event: first.seq, index: 0, handle: 20 },
      { kind: "barrier", token: 1 },
    ]);
    await keeper.eventually("reached");
    expect(statSync(keeper.path("n")).mode & 0o777).toBe(0o600);
  });

  test("keep their order, with or without descriptors, and all arrive before the worker's exit", async () => {
    await keeper.start();
    const code = `
a=socket.socket(fileno=3)
b=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)
b.connect(os.environ["P"])
for n in range(150):
  if n%3==2: a.send(str(n).encode())
  else: socket.send_fds(a,[str(n).encode()],[0])
for n in range(150,155): socket.send_fds(b,[str(n).encode()],[0])
os._exit(0)`;
    keeper.commit([
      plainSpawn(1, sender(code), { notifyFd: 3, notifyPath: keeper.path("n"), env: [["P", keeper.path("n")]] }),
    ]);
    await keeper.event("spawned");
    const said = { pair: [] as number[], path: [] as number[] };
    for (let count = 0; count < 155; count++) {
      const { bytes, source, descriptors } = await keeper.event("datagram");
      const number = Number(textOf(bytes));
      expect([number, descriptors]).toEqual([number, number >= 150 || number % 3 !== 2 ? 1 : 0]);
      (source === 0 ? said.pair : said.path).push(number);
      keeper.commit([]);
    }
    expect(said.pair).toEqual(Array.from({ length: 150 }, (_, index) => index));
    expect(said.path).toEqual([150, 151, 152, 153, 154]);
    expect(await keeper.event("exited")).toMatchObject({ ending: 0, status: 0 });
  });

  test("are sent to a worker with descriptors, and from a handle to an address", async () => {
    await keeper.start();
    const receiver = Bun.spawn(
      [
        "python3",
        "-c",
        `import socket;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(${JSON.stringify(keeper.path("r"))});print("bound",flush=True);print(s.recv(99).decode(),flush=True)`,
      ],
      { stdout: "pipe" },
    );
    await until("the receiver", () => existsSync(keeper.path("r")));
    const code = `
a=socket.socket(fileno=3)
m,f,_,_=socket.recv_fds(a,100,4)
a.send(m+b" "+str(len(f)).encode())
time.sleep(600)`;
    keeper.commit([
      openTcp(1, "127.0.0.1"),
      { kind: "openDatagram", handle: 2, domain: AF_UNIX, address: unixAddress(keeper.path("r")) },
      plainSpawn(1, sender(code), { notifyFd: 3 }),
    ]);
    await keeper.eventually("spawned");
    keeper.commit([
      { kind: "sendDatagram", handle: 0, worker: 1, bytes: bytesOf("take"), handles: [1, 1] },
      { kind: "sendDatagram", handle: 2, worker: 0, bytes: bytesOf("hello"), handles: [] },
    ]);
    expect(textOf((await keeper.eventually("datagram")).bytes)).toBe("take 2");
    expect(await new Response(receiver.stdout).text()).toBe("bound\nhello\n");
  });

  test("in a flood wait in the kernel, and none is lost", async () => {
    await keeper.start();
    const code = `
a=socket.socket(fileno=3)
for n in range(2000): a.send(str(n).encode())
os._exit(0)`;
    keeper.commit([plainSpawn(1, sender(code), { notifyFd: 3 })]);
    await keeper.event("spawned");
    for (let number = 0; number < 2000; number++) {
      expect(textOf((await keeper.event("datagram")).bytes)).toBe(String(number));
      keeper.commit([]);
    }
    expect(await keeper.event("exited")).toMatchObject({ ending: 0, status: 0 });
  });
});
