// handOver where it does not come to it: the connection is as it was, and nothing that was on its way is lost.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Bench, portOf, ROOT } from "../e2e/harness/bench.ts";
import { freePorts } from "../e2e/harness/ports.ts";
import { Talk } from "../e2e/harness/talk.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { RUNTIMES } from "./runtimes.ts";

const SERVER = join(ROOT, "test/apps/library-hand-over.mjs");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

// Deno tells nobody the number of a connection's descriptor.
for (const [runtime, command] of [...RUNTIMES].filter(([name]) => name !== "Deno")) {
  describe(`on ${runtime}`, () => {
    /** A service whose workers overlap, so that nobody takes anything over, and a client of it. */
    const refusing = async (): Promise<Talk> => {
      const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
      expect(await bench.ctl("web", "run", "-wait", "--", ...command, SERVER)).toMatchObject({ status: 0 });
      return Talk.open(portOf(crank), "plain");
    };

    test("without crank it is false", async () => {
      const [port = 0] = await freePorts(1);
      const server = bench.start([...command, SERVER], { env: { PORT: String(port) } });
      const client = await waitFor("the server", () => Talk.open(port, "plain").catch(() => null));
      client.say("hand\n");
      await client.hears("hand: false\n");
      await waitFor("the server's own word", () => server.stdout() === "hand: false\n");
      client.hangUp();
    });

    test("refused, it is false, and the connection goes on", async () => {
      const client = await refusing();
      for (const word of ["hand", "echo", "hand", "echo again"]) {
        client.say(`${word}\n`);
        await client.hears(`${word}: ${word === "hand" ? "false" : word}\n`);
      }
      client.hangUp();
    });

    test("what nobody takes from the stream, or does not read at the other end, stays", async () => {
      const client = await refusing();
      client.say("paused\n");
      await client.hears("paused\n");
      client.say("kept\n");
      await client.hears("kept: kept\n");
      expect(client.heard).toBe("paused\npaused: false\nkept: kept\n");
      client.holdBack();
      client.say("flood\n");
      await waitFor("the end of its time", async () =>
        (await bench.ctl("web", "logs")).stdout.includes("flood: false"),
      );
      client.goOn();
      await client.hears("flood: false\n");
      expect(client.heard.match(/\./g)).toHaveLength(32 * 1024 * 1024);
      client.hangUp();
    });

    test("a name that is none, and a connection behind TLS, are errors in words", async () => {
      const client = await refusing();
      client.say("badly\n");
      await client.hears('badly: "a:b" cannot be the name of a descriptor\n');
      client.say("secret\n");
      await client.hears("secret: a connection behind TLS cannot be handed over");
      client.hangUp();
    });

    test("what was left comes once, with its name", async () => {
      const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
      const python = ["python3", join(ROOT, "test/apps/handover.py"), "v1"];
      expect(await bench.ctl("web", "run", "-wait", "-hand-over", "--", ...python)).toMatchObject({ status: 0 });
      const client = await Talk.open(portOf(crank), "plain");
      client.say("one\n");
      await client.hears("v1 one\n");
      expect(await bench.ctl("web", "run", "-wait", "--", ...command, SERVER)).toMatchObject({ status: 0 });
      await client.hears(`taken over as client-${client.port}\n`);
      client.say("two\n");
      await client.hears("two: two\n");
      expect(client.heard).toBe(`v1 one\ntaken over as client-${client.port}\ntwo: two\n`);
      client.hangUp();
    });
  });
}
