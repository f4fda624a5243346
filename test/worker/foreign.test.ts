// The library in a process that did not get crank's descriptors, because a wrapper started it: their numbers mean
// something else there, and the library does not use them.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ROOT, type Running } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { Service } from "../e2e/harness/service.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { RUNTIMES } from "./runtimes.ts";

const PROGRAM = join(ROOT, "test/apps/library/foreign.mjs");
const WORKER = join(ROOT, "test/apps/library/sockets.mjs");
/** A wrapper like npm: it runs its arguments as a child, which gets only its first three descriptors. */
const WRAPPER = ["python3", "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"];

const web = eachTest(new Service());

type Results = Readonly<Record<string, { readonly threw?: string; readonly did?: unknown }>>;

const resultsOf = async (running: Running): Promise<Results> =>
  JSON.parse(await waitFor("the results", () => /\{.*\}\n/.exec(running.stdout())?.[0]));

describe.each([...RUNTIMES])("on %s", (_, runtime) => {
  test("behind a wrapper all calls throw, and name the descriptors' process and the command to run instead", async () => {
    const crank = await web.start("-bind", "127.0.0.1:0");
    await web.ctl("run", "--", ...WRAPPER, ...runtime, PROGRAM);
    const results = await resultsOf(crank);
    expect(Object.keys(results)).toHaveLength(8);
    const reason =
      /were passed to process \d+ \(\S*python3 .*\), and this is process \d+, .*run the program itself, as in "crankctl run -- .*library\/foreign\.mjs"/;
    for (const [name, { threw }] of Object.entries(results))
      expect([name, threw]).toEqual([name, expect.stringMatching(reason)]);
  });

  test("without LISTEN_PID, in a process that is not crank's child, all calls throw too", async () => {
    const crank = await web.start();
    await web.ctl("run", "--", ...WRAPPER, "env", "-u", "LISTEN_PID", ...runtime, PROGRAM);
    for (const { threw } of Object.values(await resultsOf(crank))) expect(threw).toContain("there is no LISTEN_PID");
  });

  test("a NOTIFY_FD that is not a socket is not written to", async () => {
    const crank = await web.start();
    const closing = ["bash", "-c", 'eval "exec $NOTIFY_FD</dev/null"; exec "$@"', "bash"];
    await web.ctl("run", "--", ...closing, ...runtime, PROGRAM);
    expect((await resultsOf(crank)).ready?.threw).toMatch(/descriptor 4 \(NOTIFY_FD\) should be crank's notify socket/);
  });

  test("without crank no call throws", async () => {
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

test("on Node a server that listens through the library keeps the backlog", async () => {
  const crank = await web.startOn(["127.0.0.1:0?name=main", "127.0.0.1:0?name=admin"]);
  expect(await web.run("--", "node", WORKER, "serve")).toMatchObject({ status: 0 });
  const status = await web.status();
  expect(status.sockets.map(({ limit }) => limit)).toEqual([4096, 4096]);
  expect(crank.stderr()).not.toContain("connections wait");
});
