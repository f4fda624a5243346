// A record that is slow to write delays only the clients that wait for it.
import { expect, test } from "bun:test";
import { Supervised } from "../supervised.ts";

const SIGTERM = 15;
const READY = new TextEncoder().encode("READY=1");

/** A service whose disk answers only when the test permits, with a first deploy that only waits for its record. */
const withSlowDisk = async () => {
  const writes: ((error: string | null) => void)[] = [];
  const service = new Supervised({
    platform: { replaceFile: () => new Promise((resolve) => writes.push(resolve)) },
  });
  await service.serve();
  await service.ask("run", { command: ["/bin/server"], wait: true });
  await start(service, 1);
  return { service, writes };
};

const start = async (service: Supervised, worker: number): Promise<void> => {
  await service.send({ kind: "spawned", worker, pid: 100 + worker, startTime: 1 });
  const said = { source: 0, pid: 100 + worker, uid: 0, gid: 0, flags: 0, descriptors: 0, bytes: READY };
  await service.send({ kind: "datagram", worker, ...said });
};

const written = async (service: Supervised): Promise<void> => {
  await service.supervisor.recording;
};

const answers = (service: Supervised): string[] => service.commands("write").map(({ bytes }) => String(bytes));

test("a slow record delays the deploy's answer, and no event", async () => {
  const { service, writes } = await withSlowDisk();
  expect(writes).toHaveLength(1);
  expect(answers(service).join("")).not.toContain("accepted");
  await service.ask("ps", {});
  expect(answers(service).at(-1)).toContain('"state":"ready"');
  expect(service.isSettled).toBe(true);
  writes[0]?.(null);
  await written(service);
  expect(answers(service).at(-1)).toContain('"accepted":true');
  expect(writes).toHaveLength(1);
});

test("a slow record is written again by the next supervisor, and the deploy is answered once", async () => {
  const { service, writes } = await withSlowDisk();
  await service.start();
  expect(writes).toHaveLength(2);
  writes[1]?.("input/output error");
  await written(service);
  expect(answers(service).filter((line) => line.includes("accepted"))).toEqual([
    expect.stringContaining("could not be recorded"),
  ]);
});

test("a slow record delays crank's exit until the deploy is answered", async () => {
  const { service, writes } = await withSlowDisk();
  await service.send({ kind: "signalled", signal: SIGTERM, pid: 1, uid: 0 });
  expect(service.commands("signal")).toMatchObject([{ worker: 1, signal: SIGTERM }]);
  await service.send({ kind: "exited", worker: 1, pid: 101, ending: 1, status: SIGTERM, tail: new Uint8Array() });
  expect(service.commands("exit")).toEqual([]);
  writes[0]?.(null);
  await written(service);
  expect(answers(service).join("")).toContain('"accepted":true');
  expect(service.commands("exit")).toMatchObject([{ status: 0 }]);
});

test("a failed record is retried with growing delays, and reported once and at its recovery", async () => {
  const { service, writes } = await withSlowDisk();
  const logged = (words: string): number =>
    service.commands("log").filter(({ bytes }) => String(bytes).includes(words)).length;
  writes[0]?.("no space left on device");
  await written(service);
  expect(answers(service).join("")).toContain("could not be recorded");
  service.now += 500;
  await service.send({ kind: "tick" });
  expect(writes).toHaveLength(1);
  service.now += 500;
  await service.send({ kind: "tick" });
  expect(writes).toHaveLength(2);
  writes[1]?.("no space left on device");
  await written(service);
  // The next supervisor continues.
  await service.start();
  service.now += 2000;
  await service.send({ kind: "tick" });
  expect(writes).toHaveLength(3);
  expect(logged("could not be written: no space left on device")).toBe(1);
  writes[2]?.(null);
  await written(service);
  expect(logged("was written again, with the current generation")).toBe(1);
  service.now += 1_000_000;
  await service.send({ kind: "tick" });
  expect(writes).toHaveLength(3);
});

test("a record without the newest good run is written again before it counts", async () => {
  const { service, writes } = await withSlowDisk();
  writes[0]?.("no space left on device");
  await written(service);
  service.now += 1000;
  await service.send({ kind: "tick" });
  expect(writes).toHaveLength(2);
  await service.ask("run", { command: ["/bin/other"], wait: true });
  await start(service, 2);
  writes[1]?.(null);
  await written(service);
  expect(writes).toHaveLength(3);
  expect(answers(service).filter((line) => line.includes("accepted"))).toHaveLength(1);
  writes[2]?.(null);
  await written(service);
  expect(answers(service).filter((line) => line.includes("accepted"))).toHaveLength(2);
});
