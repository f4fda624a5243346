// Failed calls of handOver: the connection stays as it was, and no data is lost.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ROOT } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { freePorts } from "../e2e/harness/ports.ts";
import { HANDOVER } from "../e2e/harness/python-apps.ts";
import { Service } from "../e2e/harness/service.ts";
import { Talk } from "../e2e/harness/talk.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { RUNTIMES } from "./runtimes.ts";

const SERVER = join(ROOT, "test/apps/library/hand-over.mjs");

const web = eachTest(new Service());

// Deno does not expose the number of a connection's descriptor.
for (const [runtime, command] of [...RUNTIMES].filter(([name]) => name !== "Deno")) {
  describe(`on ${runtime}`, () => {
    /** A service whose workers overlap, so that no worker takes anything over, and a client of it. */
    const refusing = async (): Promise<Talk> => {
      await web.start();
      expect(await web.run("--", ...command, SERVER)).toMatchObject({ status: 0 });
      return web.talk();
    };

    test("handOver returns false without crank", async () => {
      const [port = 0] = await freePorts(1);
      const server = web.bench.start([...command, SERVER], { env: { PORT: String(port) } });
      const client = await waitFor("the server", () => Talk.open(port, "plain").catch(() => null));
      client.say("hand\n");
      await client.hears("hand: false\n");
      await waitFor("the server's own word", () => server.stdout() === "hand: false\n");
      client.hangUp();
    });

    test("handOver returns false when it is refused, and the connection continues", async () => {
      const client = await refusing();
      for (const word of ["hand", "echo", "hand", "echo again"]) {
        client.say(`${word}\n`);
        await client.hears(`${word}: ${word === "hand" ? "false" : word}\n`);
      }
      client.hangUp();
    });

    test("data that is not read from the stream or by the peer is kept", async () => {
      const client = await refusing();
      client.say("paused\n");
      await client.hears("paused\n");
      client.say("kept\n");
      await client.hears("kept: kept\n");
      expect(client.heard).toBe("paused\npaused: false\nkept: kept\n");
      client.holdBack();
      client.say("flood\n");
      await waitFor("the end of its time", async () => (await web.ctl("logs")).stdout.includes("flood: false"));
      client.goOn();
      await client.hears("flood: false\n");
      expect(client.heard.match(/\./g)).toHaveLength(32 * 1024 * 1024);
      client.hangUp();
    });

    test("an invalid name and a TLS connection are descriptive errors", async () => {
      const client = await refusing();
      client.say("badly\n");
      await client.hears('badly: "a:b" cannot be the name of a descriptor\n');
      client.say("secret\n");
      await client.hears("secret: a connection behind TLS cannot be handed over");
      client.hangUp();
    });

    test("a connection that was handed over arrives once, with its name", async () => {
      await web.start();
      expect(await web.run("-hand-over", "--", ...HANDOVER, "v1")).toMatchObject({ status: 0 });
      const client = await web.talk();
      client.say("one\n");
      await client.hears("v1 one\n");
      expect(await web.run("--", ...command, SERVER)).toMatchObject({ status: 0 });
      await client.hears(`taken over as client-${client.port}\n`);
      client.say("two\n");
      await client.hears("two: two\n");
      expect(client.heard).toBe(`v1 one\ntaken over as client-${client.port}\ntwo: two\n`);
      client.hangUp();
    });
  });
}
