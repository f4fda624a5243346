// The library in a process that crank's descriptors were not passed to, because a wrapper started it: their numbers mean
// something else there, and nothing is done with them.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ROOT, type Running } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { Service } from "../e2e/harness/service.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { RUNTIMES } from "./runtimes.ts";

const PROGRAM = join(ROOT, "test/apps/library/foreign.mjs");
const WORKER = join(ROOT, "test/apps/library/sockets.mjs");
/** A wrapper as npm is one: it runs its arguments as a child, which gets none of its descriptors but the first three. */
const WRAPPER = ["python3", "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"];

const web = eachTest(new Service());

type Results = Readonly<Record<string, { readonly threw?: string; readonly did?: unknown }>>;

const resultsOf = async (running: Running): Promise<Results> =>
  JSON.parse(await waitFor("the results", () => /\{.*\}\n/.exec(running.stdout())?.[0]));

describe.each([...RUNTIMES])("on %s", (_, runtime) => {
  test("behind a wrapper everything throws, and says whose the descriptors are and what to run instead", async () => {
    const crank = await web.start("-bind", "127.0.0.1:0");
    await web.ctl("run", "--", ...WRAPPER, ...runtime, PROGRAM);
    const results = await resultsOf(crank);
    expect(Object.keys(results)).toHaveLength(8);
    const reason =
      /were passed to process \d+ \(\S*python3 .*\), and this is process \d+, .*run the program itself, as in "crankctl run -- .*library\/foreign\.mjs"/;
    for (const [name, { threw }] of Object.entries(results))
      expect([name, threw]).toEqual([name, expect.stringMatching(reason)]);
  });

  test("without LISTEN_PID, and not as crank's child, everything throws too", async () => {
    const crank = await web.start();
    await web.ctl("run", "--", ...WRAPPER, "env", "-u", "LISTEN_PID", ...runtime, PROGRAM);
    for (const { threw } of Object.values(await resultsOf(crank))) expect(threw).toContain("there is no LISTEN_PID");
  });

  test("a NOTIFY_FD that is no socket is not written to", async () => {
    const crank = await web.start();
    const closing = ["bash", "-c", 'eval "exec $NOTIFY_FD</dev/null"; exec "$@"', "bash"];
    await web.ctl("run", "--", ...closing, ...runtime, PROGRAM);
    expect((await resultsOf(crank)).ready?.threw).toMatch(/descriptor 4 \(NOTIFY_FD\) should be crank's notify socket/);
  });

  test("without crank nothing throws", async () => {
    const running = web.bench.start([...runtime, PROGRAM], { cwd: ROOT });
    expect(await resultsOf(running)).toMatchObject({
      sockets: { did: [] },
      listen: { did: { address: "127.0.0.1" } },
      ready: { did: false },
      status: { did: false },
      takeOver: { did: [] },
      handOver: { did: false },
    });
  });
});

test("on Node a server that the library lets listen keeps the queue's length", async () => {
  const crank = await web.startOn(["127.0.0.1:0?name=main", "127.0.0.1:0?name=admin"]);
  expect(await web.run("--", "node", WORKER, "serve")).toMatchObject({ status: 0 });
  const status = await web.status();
  expect(status.sockets.map(({ limit }) => limit)).toEqual([4096, 4096]);
  expect(crank.stderr()).not.toContain("connections wait");
});
