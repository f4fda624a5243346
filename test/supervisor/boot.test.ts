// Crank's own start leaves nothing behind when it fails or is interrupted.
import { expect, test } from "bun:test";
import { Supervised } from "./supervised.ts";

const SIGTERM = 15;
const SOCKET = "/sim/one.sock";

test("a host name that cannot be resolved ends the start before any socket is opened", async () => {
  const service = new Supervised({
    args: ["-bind", SOCKET, "-bind", "tcp://nowhere.invalid:80"],
    platform: { resolveHost: () => Promise.reject(new Error("there is no such host")) },
  });
  await service.start();
  await service.reach();
  expect(service.commands("openSocket")).toEqual([]);
  expect(service.commands("exit")).toMatchObject([{ status: 1 }]);
});

test.each(["locking", "opening"])(
  "SIGTERM during %s ends crank after that stage, with its sockets' files removed",
  async (stage) => {
    const service = new Supervised({ args: ["-bind", SOCKET] });
    await service.start();
    if (stage === "opening") await service.reach();
    await service.send({ kind: "signalled", signal: SIGTERM, pid: 1, uid: 0 });
    expect(service.commands("exit")).toEqual([]);
    // Another supervisor may finish what this one started.
    await service.start();
    for (const command of service.commands("openSocket")) {
      await service.open(command);
    }
    await service.reach();
    expect(service.commands("exit")).toMatchObject([{ status: 0 }]);
    expect(service.commands("openSocket")).toHaveLength(stage === "opening" ? 2 : 0);
    expect(service.commands("removeName").map(({ handle }) => handle)).toEqual(stage === "opening" ? [10, 1] : []);
  },
);
