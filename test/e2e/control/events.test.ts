// What crankctl events shows besides deploys: what happens to crank itself and to what it holds, in one sequence of numbers,
// each event in the words of the log.
import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import type { EventEntry } from "../../../src/control/messages.ts";
import { RESPONDER } from "../harness/apps.ts";
import type { Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { Upgraded } from "../harness/upgraded.ts";
import { waitFor } from "../harness/wait.ts";

/** signal(7): the real-time signals that glibc leaves. */
const SIGRTMIN = 34;

const web = eachTest(new Service({ flags: ["-verbose"] }));

const ofKind = async <K extends EventEntry["kind"]>(kind: K, service: Service = web) =>
  (await service.events()).filter((entry): entry is Extract<EventEntry, { kind: K }> => entry.kind === kind);

/** The event is there, and the log has its sentence once for each such event. The events' numbers have no gap. */
const told = async <K extends EventEntry["kind"]>(kind: K, crank: Running, service: Service = web) => {
  const [entry] = await waitFor(kind, async () => {
    const found = await ofKind(kind, service);
    return found.length > 0 && found;
  });
  const { stdout } = await service.ctl("events", "-once", "-since", String(entry?.seq));
  const sentences = stdout.split("\n").map((line) => line.split(" ").slice(2).join(" "));
  const [sentence = ""] = sentences;
  expect(sentence).not.toBe("");
  const saying = sentences.filter((other) => other.includes(sentence)).length;
  const logged = (): number => crank.stderr().split(sentence).length - 1;
  await waitFor(`the line ${sentence}`, () => logged() >= saying);
  expect(logged()).toBe(saying);
  const numbers = (await service.events()).map(({ seq }) => seq);
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
  return entry;
};

/** A client that follows on the socket itself: the names and kinds of what it receives. */
const following = (): (() => string[]) => {
  const script = `import json, socket, sys
ctl = socket.socket(socket.AF_UNIX); ctl.connect(sys.argv[1])
ctl.sendall(b'{"jsonrpc":"2.0","id":1,"method":"events","params":{"follow":true}}\\n')
for line in ctl.makefile():
    said = json.loads(line)
    print("following" if "id" in said else said["method"] + " " + said["params"]["kind"], flush=True)`;
  const running = web.bench.start(["python3", "-c", script, web.path("web.ctl")]);
  return () => running.stdout().trim().split("\n");
};

describe("events report", () => {
  test("the death of a supervisor, to a following client, under a name that earlier clients ignore", async () => {
    const crank = await web.start("-linger", "60");
    const seen = following();
    await waitFor("the follower", () => seen().includes("following"));
    process.kill(await waitFor("the supervisor", () => supervisorOf(crank)), "SIGABRT");
    await web.run("-ready", "delay:0", "--", "sleep", "600");
    expect(await told("supervisorDied", crank)).toMatchObject({ ending: { kind: "signal", signal: "SIGABRT" } });
    await waitFor("the end of the rollout", () => seen().includes("event rolloutComplete"));
    expect(seen()).toContain("happening supervisorDied");
    expect(seen().filter((said) => !said.endsWith(" supervisorDied") && said !== "following")).toEqual(
      (await web.events()).flatMap(({ kind }) => (kind === "supervisorDied" ? [] : [`event ${kind}`])),
    );
  });

  test("a listener that a worker shut down, and a record that cannot be written", async () => {
    const crank = await web.start();
    await web.run("--", ...RESPONDER, "saboteur", "shutdown");
    expect(await told("listenerShutDown", crank)).toMatchObject({
      address: `tcp://127.0.0.1:${web.port}`,
      failure: null,
    });
    // Other users could change its contents.
    chmodSync(web.directory, 0o777);
    await web.run("--", ...RESPONDER, "two");
    expect(await told("recordFailed", crank)).toMatchObject({ path: web.path("web.conf") });
  });

  test("which descriptors are stored, which worker gets them, and which are lost, in any number", async () => {
    const crank = await web.start();
    const saying = (...lines: readonly string[]) => [
      "python3",
      "-c",
      [
        "import os, signal, socket",
        "notify = socket.socket(fileno=int(os.environ['NOTIFY_FD']))",
        "def say(text, *fds): socket.send_fds(notify, [text.encode()], fds)",
        ...lines,
        "say('READY=1')",
        "signal.pause()",
      ].join("\n"),
    ];
    await web.run(
      ...["-hand-over", "-fd-store", "40", "--"],
      ...saying(
        "ours, theirs = socket.socketpair()",
        "say('FDSTORE=1\\nFDNAME=pair', ours.fileno())",
        "for _ in range(60): say('FDSTORE=1\\nFDPOLL=0\\nFDNAME=null', os.open('/dev/null', 0))",
        "theirs.close()",
        "ours.close()",
      ),
    );
    await told("descriptorsLost", crank);
    await web.run("-hand-over", "--", ...saying());
    const stored = await ofKind("descriptorsStored");
    expect(stored.length).toBeLessThan(10);
    const all = stored.reduce((sum, { count }) => sum + count, 0);
    expect(all).toBeGreaterThanOrEqual(40);
    expect(await told("descriptorsGiven", crank)).toMatchObject({ worker: 2, count: all - 1, way: "start" });
    const lost = new Set((await ofKind("descriptorsLost")).map(({ cause }) => cause));
    expect([...lost].sort()).toEqual(["full", "peer"]);
  });
});

describe("upgrades are reported", () => {
  const service = eachTest(new Upgraded());

  test("when they start, succeed, are refused, and fail", async () => {
    const crank = await service.start();
    await service.deploy("-ready", "delay:0", "--", "sleep", "600");
    expect(await service.ctl("upgrade", "-wait")).toMatchObject({ status: 0 });
    const [begun] = await ofKind("upgradeStarted", service);
    expect(begun).toMatchObject({ upgrade: 1, path: service.link });
    expect(await told("upgradeDone", crank, service)).toMatchObject({ upgrade: 1, keeper: false });
    await service.ctl("upgrade", "-wait", "-exec", "/bin/false");
    expect(await told("upgradeFailed", crank, service)).toMatchObject({ upgrade: 2 });
    const nowhere = service.path("nowhere");
    await service.ctl("upgrade", "-wait", "-exec", nowhere);
    expect(await ofKind("upgradeRefused", service)).toMatchObject([
      { by: null, message: `Crank is not upgraded to ${nowhere}: no such file` },
    ]);
  });
});

describe("an adoption", () => {
  const service = eachTest(new Service({ port: "fixed" }));

  test("continues the numbers of the crank that was killed", async () => {
    const crank = await service.start();
    await service.deploy("-instances", "2", "--", ...RESPONDER, "one");
    const [first = 0, second = 0] = await service.pids();
    const before = await service.events();
    await service.kill();
    process.kill(second, "SIGKILL");
    const next = await service.adopt();
    expect(await told("adopted", next, service)).toMatchObject({ pid: crank.pid, pids: [first], of: 2 });
    expect(await told("socketTaken", next, service)).toMatchObject({ pid: first, uri: `127.0.0.1:${service.port}` });
    expect(await told("workerNotAdopted", next, service)).toMatchObject({ worker: 2 });
    expect((await service.events()).slice(0, before.length)).toEqual(before);
  });
});

test("a crank that leaves its workers to the next one says so in the events of both", async () => {
  const service = new Service({ port: "fixed" });
  await service.open();
  try {
    const crank = await service.start();
    await service.deploy("--", ...RESPONDER, "one");
    process.kill(crank.pid, SIGRTMIN + 1);
    expect(await crank.ended).toMatchObject({ status: 0 });
    const next = await service.adopt();
    expect(await told("adopted", next, service)).toMatchObject({ pid: crank.pid, of: 1 });
    expect(await ofKind("workersLeft", service)).toMatchObject([{ count: 1 }]);
    expect(crank.stderr().match(/Leaving 1 worker to the next crank/g)).toHaveLength(1);
    expect(next.stderr()).not.toContain("Leaving");
  } finally {
    await service.clean();
  }
});

describe("a process that sends many messages", () => {
  test("for a worker to which it does not belong is reported at most five times a minute", async () => {
    const crank = await web.start();
    await web.ctl("run", "-start", "600", "--", "sleep", "600");
    const path = web.path("web.run/notify/000001");
    const stranger = `import socket, sys, time
speaking = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for _ in range(100): speaking.sendto(b"READY=1", sys.argv[1])
for _ in range(100): speaking.sendto(b"STATUS=mine", sys.argv[1])
print("said", flush=True); time.sleep(600)`;
    await waitFor("the worker", async () => (await web.events()).some(({ kind }) => kind === "workerStarted"));
    const { pid, wrote } = web.bench.start(["python3", "-c", stranger, path]);
    await wrote("stdout", "said");
    const refused = await waitFor("the refusals", async () => {
      const found = await ofKind("wordsRefused");
      return found.length >= 10 && found;
    });
    expect(refused[0]).toMatchObject({ worker: 1, pid, uid: 0, words: "READY=1", more: 0 });
    await web.ctl("ps");
    const all = (await ofKind("wordsRefused")).map(({ words }) => words);
    expect(all).toEqual([...Array(5).fill("READY=1"), ...Array(5).fill("STATUS=mine")]);
    await crank.wrote("stderr", /(to which it does not belong[\s\S]*){10}/);
    expect(crank.stderr().match(/to which it does not belong/g)).toHaveLength(10);
  });

  test("about its last error is reported when the error changes", async () => {
    const crank = await web.start();
    const worker = `import os, signal, socket
notify = socket.socket(fileno=int(os.environ["NOTIFY_FD"]))
for number in (2, 2, 2, 0, 2, 28): notify.send(b"ERRNO=%d" % number)
notify.send(b"READY=1"); signal.pause()`;
    await web.run("--", "python3", "-c", worker);
    expect((await ofKind("workerErrno")).map(({ errno }) => errno)).toEqual([2, 2, 28]);
    await crank.wrote("stderr", "Worker 1 reports an error: no space left on device");
  });

  test("about its status while it serves is reported once a minute, and shown with its newest status", async () => {
    await web.start();
    const worker = `import os, signal, socket
notify = socket.socket(fileno=int(os.environ["NOTIFY_FD"]))
notify.send(b"STATUS=begins"); notify.send(b"READY=1")
for number in range(500): notify.send(b"STATUS=request %d" % number)
signal.pause()`;
    await web.run("--", "python3", "-c", worker);
    await waitFor("the last status", async () => (await web.ready()).status === "request 499");
    expect((await ofKind("workerStatus")).map(({ status }) => status)).toEqual(["begins", "request 0"]);
  });
});
