// HTTP/1.1 servers that use crank/worker, replaced by a real crank while clients stay connected.
import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Deployment, type Kind } from "./deployment.ts";
import { RUNTIMES } from "./runtimes.ts";

let service: Deployment | undefined;
afterEach(() => service?.bench.clean());

/** Longer than any test, so that its end causes nothing. */
const FOR_EVER_MS = 3_600_000;

const KINDS: readonly Kind[] = ["http", "https", "http2 over TLS"];

describe.each([...RUNTIMES.keys()])("on %s", (runtime) => {
  test.each(KINDS)("a server of node:%s finishes its requests and asks its clients to disconnect", async (kind) => {
    service = new Deployment(runtime, kind);
    await service.start({ drain: { graceMs: FOR_EVER_MS } });
    const path = join(service.bench.directory, "go-on");
    // The connection that is answered last is accepted last: the queue is empty then.
    const [resting, silent, split, busy] = await Promise.all([0, 1, 2, 3].map(() => service?.talk()));
    if (!resting || !busy || !silent || !split) throw new Error("no connections");
    resting.request("/");
    await resting.hears("\r\n\r\n1\n");
    busy.request(`/until${path}`);
    await busy.hears("first part");
    split.say("GET / HTT");

    await service.deploy(2);
    await service.drains();
    resting.request("/again");
    await resting.hears("1\n");
    silent.request("/");
    split.say("P/1.1\r\nHost: localhost\r\n\r\n");
    for (const talk of [resting, silent, split]) {
      expect(await talk.isEnded()).toBe("closed");
      expect(talk.heard).toMatch(/connection: close\r\n/i);
      expect(talk.heard).toContain("1\n");
    }
    const fresh = await service.talk();
    fresh.request("/");
    await fresh.hears("2\n");

    expect(busy.ending).toBe("open");
    writeFileSync(path, "");
    await busy.hears("0\r\n\r\n");
    expect(busy.heard).toContain("first part, ");
    expect(busy.heard).toContain("1\n");
    busy.request("/last");
    expect(await busy.isEnded()).toBe("closed");
    expect(busy.heard).toMatch(/connection: close\r\n/i);
    expect(await service.drained()).toBe("drained: 4 clients, 0 cut off");
    fresh.hangUp();
  });

  test.each(KINDS)(
    "a server of node:%s closes idle connections, and no others, after their grace time",
    async (kind) => {
      service = new Deployment(runtime, kind);
      await service.start({ drain: { graceMs: 50 } });
      const [resting, silent, half] = await Promise.all([service.talk(), service.talk(), service.talk()]);
      half.request("/");
      await half.hears("1\n");
      half.say("GET / HTTP/1.1\r\nHo");
      resting.request("/");
      await resting.hears("1\n");
      await service.deploy(2);
      expect(await resting.isEnded()).toBe("closed");
      expect(await silent.isEnded()).toBe("closed");
      half.heard = "";
      half.say("st: localhost\r\n\r\n");
      expect(await half.isEnded()).toBe("closed");
      expect(half.heard).toContain("1\n");
      expect(await service.drained()).toMatch(/^drained: \d clients, 0 cut off$/);
    },
  );

  test("clients are asked one after the other, and served until then", async () => {
    service = new Deployment(runtime, "http");
    await service.start({ drain: { spreadMs: FOR_EVER_MS, graceMs: 50 } });
    const talks = await Promise.all([service.talk(), service.talk(), service.talk()]);
    for (const talk of talks) {
      talk.request("/");
      await talk.hears("1\n");
    }
    await service.deploy(2);
    const [first, ...others] = talks;
    if (!first) throw new Error("no connections");
    expect(await first.isEnded()).toBe("closed");
    for (const talk of others) {
      talk.heard = "";
      talk.request("/");
      await talk.hears("1\n");
      expect(talk.heard).not.toMatch(/connection: close/i);
      talk.hangUp();
    }
    expect(await service.drained()).toBe("drained: 3 clients, 0 cut off");
  });

  test("a client that never disconnects is cut off before crank's stop timeout, and the worker exits by itself", async () => {
    service = new Deployment(runtime, "http");
    await service.start({ flags: ["-env", "STOP_TIMEOUT_USEC=500000"] });
    const busy = await service.talk();
    busy.request("/until/nowhere");
    await busy.hears("first part");
    await service.deploy(2);
    await busy.isEnded();
    expect(await service.drained()).toBe("drained: 1 clients, 1 cut off");
    expect(service.log).toContain("told to stop by SIGTERM, with 500 ms");
  });
});
