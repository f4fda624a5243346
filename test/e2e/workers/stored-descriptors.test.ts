// Descriptors that a worker leaves for a later one, as in sd_notify(3): established connections that live on.
import { describe, expect, test } from "bun:test";
import { eachTest } from "../harness/each-test.ts";
import { changeKeeper } from "../harness/installation.ts";
import { freePorts } from "../harness/ports.ts";
import { signal, supervisorOf } from "../harness/processes.ts";
import { HANDOVER } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import type { Talk } from "../harness/talk.ts";
import { Upgraded } from "../harness/upgraded.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service({ app: HANDOVER }));

const start = (...args: readonly string[]) => web.startOn(["127.0.0.1:0?name=echo"], ...args);
const storedCount = async (): Promise<number> => (await web.status()).stored?.count ?? 0;

/** A worker that sends one thing after another and stays: lines of Python, with `say(text, *fds)`. */
const saying = (...lines: readonly string[]): string[] => {
  const head = [
    "import array, os, signal, socket, time",
    "notify = socket.socket(fileno=int(os.environ['NOTIFY_FD']))",
    "def say(text, *fds): socket.send_fds(notify, [text if isinstance(text, bytes) else text.encode()], fds)",
  ];
  return ["python3", "-c", [...head, ...lines, "say('READY=1')", "signal.pause()"].join("\n")];
};
const runSaying = (...lines: readonly string[]) => web.run("-hand-over", "--", ...saying(...lines));

/** The client sends a word and receives the version that answers. */
const asks = async (client: Talk, word: string, version: string): Promise<void> => {
  client.say(`${word}\n`);
  await client.hears(`${version} ${word}\n`);
};

describe("with -hand-over", () => {
  test("a connection goes from worker to worker, each gets it at its start with its name, and no client is refused", async () => {
    const crank = await start();
    expect(await web.app("v1", "-hand-over")).toMatchObject({ status: 0 });
    const client = await web.talk();
    await asks(client, "one", "v1");
    for (let version = 2; version <= 4; version++) {
      expect(await web.app(`v${version}`)).toMatchObject({ status: 0 });
      await waitFor("what it was given", () => crank.stdout().match(/given client-\d+\n/g)?.length === version - 1);
      await asks(client, `deploy-${version}`, `v${version}`);
      expect(await storedCount()).toBe(0);
    }
    client.hangUp();
  });

  test("no worker starts before the old one is gone, and a client that connects meanwhile is served by the new one", async () => {
    const crank = await start();
    await web.app("v1", "-hand-over");
    const [before] = (await web.status()).workers;
    const deploy = web.app("v2", "-stop", "60");
    const client = await web.talk();
    client.say("queued\n");
    expect(await deploy).toMatchObject({ status: 0 });
    await client.hears(" queued\n");
    await crank.wrote("stderr", "Started worker 2");
    const log = crank.stderr();
    expect(log).toContain(`(pid ${before?.pid}, generation 1) exited`);
    expect(log.indexOf(`(pid ${before?.pid}, generation 1) exited`)).toBeLessThan(log.indexOf("Started worker 2"));
    client.hangUp();
  });

  test("descriptors that a failed deploy was given go to the previous run's workers", async () => {
    await start();
    await web.app("v1", "-hand-over");
    const client = await web.talk();
    await asks(client, "one", "v1");
    expect(await web.app(["v2", "fails"])).toMatchObject({ status: 1 });
    await asks(client, "two", "v1");
    expect(await web.run("--", "/nowhere/at/all")).toMatchObject({ status: 1 });
    await asks(client, "three", "v1");
    expect(await web.app(["v3", "hangs"], "-start", "0.5")).toMatchObject({ status: 1 });
    await asks(client, "four", "v1");
    expect(await web.app("v4")).toMatchObject({ status: 0 });
    await asks(client, "five", "v4");
    client.hangUp();
  });

  test("in a pool every connection goes to one of the successors", async () => {
    await start();
    expect(await web.app("v1", "-hand-over", "-instances", "3")).toMatchObject({ status: 0 });
    const clients = await Promise.all(Array.from({ length: 12 }, () => web.talk()));
    for (const client of clients) await asks(client, "one", "v1");
    for (const version of ["v2", "v3"]) {
      expect(await web.app(version)).toMatchObject({ status: 0 });
      for (const client of clients) await asks(client, "more", version);
    }
    const workers = await web.ps();
    const taken = workers.map(({ descriptors = 0 }) => descriptors);
    expect(taken.reduce((sum, count) => sum + count, 0)).toBe(12);
    expect((await web.ctl("status")).stdout).toContain("  TAKEN  ");
    for (const client of clients) client.hangUp();
  });

  test("stored descriptors outlive an upgrade of supervisor and keeper", async () => {
    const service = new Upgraded({ app: HANDOVER });
    await service.open();
    try {
      const crank = await service.start();
      await service.deploy("-hand-over", "--", ...saying("say('FDSTORE=1\\nFDPOLL=0\\nFDNAME=kept', 0)"));
      changeKeeper(service.installed);
      expect((await service.ctl("upgrade", "-wait")).stdout).toContain("supervisor and keeper");
      expect((await service.status()).stored).toEqual({ count: 1, limit: 512, names: ["kept"] });
      expect(await service.app("v2")).toMatchObject({ status: 0 });
      await crank.wrote("stdout", /given kept$/m);
    } finally {
      await service.clean();
    }
  });

  test("stored descriptors outlive the supervisor", async () => {
    const crank = await start("-linger", "600");
    await runSaying("say('FDSTORE=1\\nFDNAME=mine', 0)");
    await waitFor("the descriptor", async () => (await storedCount()) === 1);
    const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
    signal(supervisor, "SIGKILL");
    await waitFor("the next supervisor", () => ![undefined, supervisor].includes(supervisorOf(crank)));
    expect((await web.status()).stored).toEqual({ count: 1, limit: 512, names: ["mine"] });
    expect(await web.app("v2")).toMatchObject({ status: 0 });
    await crank.wrote("stdout", /given mine$/m);
  });

  test("-surge above 0 is refused, and -hand-over=false resets it", async () => {
    await start();
    expect(await web.app("v1", "-hand-over", "-surge", "2")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("use -surge 0, or -hand-over=false"),
    });
    expect(await web.app("v1", "-hand-over")).toMatchObject({ status: 0 });
    expect(await web.app("v2", "-surge", "1")).toMatchObject({ status: 1 });
    expect(await web.app("v2", "-hand-over=false")).toMatchObject({ status: 0 });
    expect(await web.app("v3", "-surge", "1")).toMatchObject({ status: 0 });
  });
});

test("a running worker that asks for it gets what older ones leave", async () => {
  const crank = await start();
  expect(await web.app("v1")).toMatchObject({ status: 0 });
  const clients = await Promise.all(Array.from({ length: 20 }, () => web.talk()));
  for (const client of clients) await asks(client, "one", "v1");
  expect(await web.app(["v2", "takes"])).toMatchObject({ status: 0 });
  for (const client of clients) await asks(client, "two", "v2");
  await crank.wrote("stdout", /given nothing$[\s\S]*given nothing$/m);
  expect(await storedCount()).toBe(0);
  for (const client of clients) client.hangUp();
});

describe("when something is wrong,", () => {
  test("as many of a thousand descriptors as the limit are kept, the rest is closed, and the log says so once", async () => {
    const crank = await start();
    await web.run(
      "-hand-over",
      "-fd-store",
      "100",
      "--",
      ...saying(
        "for number in range(1000):",
        "  reading, writing = os.pipe()",
        "  say(f'FDSTORE=1\\nFDPOLL=0\\nFDNAME=pipe-{number}', reading)",
        "  os.close(reading), os.close(writing)",
      ),
    );
    expect((await web.status()).stored).toMatchObject({ count: 100, limit: 100 });
    // What is logged later is read later.
    await crank.wrote("stderr", "Rolled out generation 1");
    const lines = crank
      .stderr()
      .split("\n")
      .filter((line) => line.includes("to be stored"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("100 are stored, which is the limit (-fd-store)");
    expect(await web.app("v2")).toMatchObject({ status: 0 });
    await crank.wrote("stdout", /given pipe-0:pipe-1:.*:pipe-99$/m);
    await web.app("v3");
    expect(await storedCount()).toBe(0);
  });

  test("a descriptor whose peer is gone is dropped, except with FDPOLL=0", async () => {
    await start();
    await runSaying(
      "for extra in ('', '\\nFDPOLL=0'):",
      "  ours, theirs = socket.socketpair()",
      "  say('FDSTORE=1\\nFDNAME=pair' + ('-kept' if extra else '') + extra, ours.fileno())",
      "  ours.close(), theirs.close()",
    );
    await waitFor("the drop", async () => (await storedCount()) === 1);
    expect((await web.status()).stored?.names).toEqual(["pair-kept"]);
  });

  test("invalid names are replaced, and FDSTOREREMOVE needs a name", async () => {
    const crank = await start();
    await runSaying(
      "def store(name): say(b'FDSTORE=1\\nFDPOLL=0\\nFDNAME=' + name, 0)",
      "store(b'a:b'), store(b'x' * 256), store(b'\\xff\\xfe'), store(b'esc\\x1b[2J'), store(b''), store(b'fine one')",
      "say('FDSTOREREMOVE=1'), say('FDSTOREREMOVE=1\\nFDNAME=a:b')",
      "say('FDSTORE=1'), say('FDSTORE=1\\nFDNAME=nothing')",
      "store(b'twice'), store(b'twice'), store(b'left'), say('FDSTOREREMOVE=1\\nFDNAME=twice')",
    );
    expect((await web.status()).stored).toMatchObject({ count: 7, names: ["stored", "", "fine one", "left"] });
    await crank.wrote("stderr", "Rolled out generation 1");
    const log = crank.stderr();
    expect(log.match(/which is not a valid name/g)).toHaveLength(4);
    expect(log).toContain('named a descriptor "a:b"');
    expect(log).not.toContain("\x1b");
    expect(log.match(/FDSTOREREMOVE=1 without a valid FDNAME/g)).toHaveLength(2);
    expect(log.match(/FDSTORE=1 without a descriptor/g)).toHaveLength(2);
  });

  test("a service that keeps none closes them, and nothing is kept at a shutdown", async () => {
    const crank = await start();
    await web.run("-fd-store", "0", "--", ...saying("say('FDSTORE=1', 0)"));
    expect(await storedCount()).toBe(0);
    await crank.wrote("stderr", "this service stores none (-fd-store 0)");
    await web.app("v2", "-hand-over");
    const client = await web.talk();
    await asks(client, "one", "v2");
    expect(await web.ctl("shutdown", "-wait")).toMatchObject({ status: 0 });
    expect(await client.isEnded()).toBe("closed");
    expect(await crank.ended).toMatchObject({ status: 0 });
  });

  test("after the keeper was killed, the next crank says what is lost with it, and what may be", async () => {
    const [port = 0] = await freePorts(1);
    const startThere = () => web.startOn([`127.0.0.1:${port}`]);
    await startThere();
    await runSaying("for name in ('one', 'two'): say(f'FDSTORE=1\\nFDPOLL=0\\nFDNAME={name}', 0)");
    await waitFor("both", async () => (await storedCount()) === 2);
    await web.kill();
    const next = await startThere();
    await next.wrote("stderr", "Adopted 1 ");
    await next.wrote("stderr", /Lost with crank \d+, which held the only copies: 2 stored descriptors \(one, two\)/);
    expect(await storedCount()).toBe(0);
    // The same again, with a worker that has them and is not ready yet.
    await runSaying("say('FDSTORE=1\\nFDPOLL=0\\nFDNAME=three', 0)");
    await waitFor("the third", async () => (await storedCount()) === 1);
    await web.ctl("run", "--", ...HANDOVER, "v2", "hangs");
    await next.wrote("stdout", "given three");
    await web.kill();
    const last = await startThere();
    await last.wrote("stderr", "Adopted 1 ");
    await last.wrote("stderr", /Lost if the worker that has them fails .*: 1 stored descriptor \(three\)/);
  });
});
