// Servers with a protocol of their own that use crank/worker, replaced by a real crank while clients stay connected.
import { afterEach, describe, expect, test } from "bun:test";
import { Deployment, type Kind } from "./deployment.ts";
import { RUNTIMES } from "./runtimes.ts";

let service: Deployment | undefined;
afterEach(() => service?.bench.clean());

const KINDS: readonly Kind[] = ["net", "tls"];

describe.each([...RUNTIMES.keys()])("on %s", (runtime) => {
  test.each(KINDS)("a server of node:%s asks its clients to disconnect in its own protocol", async (kind) => {
    service = new Deployment(runtime, kind);
    await service.start({ drain: { spreadMs: 100 } });
    const talks = await Promise.all([service.talk(), service.talk(), service.talk()]);
    for (const talk of talks) {
      talk.say("x");
      await talk.hears("1 x");
    }
    await service.deploy(2);
    for (const talk of talks) {
      expect(await talk.isEnded()).toBe("closed");
      expect(talk.heard).toBe("hello\n1 xbye\n");
    }
    expect(await service.drained()).toBe("drained: 3 clients, 0 cut off");
    const fresh = await service.talk();
    fresh.say("x");
    await fresh.hears("2 x");
    fresh.hangUp();
  });

  test.each([
    [["-stop", "7"], "SIGTERM, with 7000 ms"],
    [["-stop-steps", "USR2,TERM@3,KILL@6"], "SIGUSR2, with 6000 ms"],
    [["-stop-steps", "TERM"], "SIGTERM, with null ms"],
  ])("a worker knows its stop timeout at its stop signal, with %p", async (flags, told) => {
    service = new Deployment(runtime, "net");
    await service.start({ flags });
    await service.deploy(2);
    await service.drains();
    expect(service.log).toContain(`told to stop by ${told}`);
  });
});
