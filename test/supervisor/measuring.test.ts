// Measurements as the supervisor sees them: requested once for all waiting clients, sent in parts, and sometimes without a result.
import { describe, expect, test } from "bun:test";
import { Supervised } from "./supervised.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const datagram = { source: 0, pid: 5, uid: 0, gid: 0, flags: 0, descriptors: 0 };

/** A service with two workers that are ready. */
const withWorkers = async (): Promise<Supervised> => {
  const service = new Supervised();
  await service.serve();
  await service.ask("run", { command: ["/bin/server"], instances: 2 });
  for (const worker of [1, 2]) {
    await service.send({ kind: "spawned", worker, pid: 100 + worker, startTime: 10 + worker });
    await service.send({ kind: "datagram", worker, ...datagram, pid: 100 + worker, bytes: bytes("READY=1") });
  }
  return service;
};

const measurements = (service: Supervised) =>
  service.commands("spawn").filter(({ args }) => args[0] === "crank-measure");
const say = (service: Supervised, text: string) =>
  service.send({
    kind: "datagram",
    worker: measurements(service).at(-1)?.worker ?? 0,
    ...datagram,
    bytes: bytes(text),
  });
const answers = (service: Supervised) =>
  service
    .commands("write")
    .map(({ bytes }) => JSON.parse(String(bytes)))
    .filter(({ result }) => Array.isArray(result))
    .map(({ result }) => result);
const usages = (answer: { usage: { memory: number; connections: number } | null }[] | undefined) =>
  answer?.map(({ usage }) => usage && [usage.memory, usage.connections]);

describe("a measurement", () => {
  test("gets the list of the workers and the sockets", async () => {
    const service = await withWorkers();
    await service.ask("ps", { measure: true });
    const [spawn] = measurements(service);
    // AF_INET, port 80, 127.0.0.1.
    expect(spawn?.args).toEqual([
      "crank-measure",
      "5000",
      "1",
      "4:020000507f0000010000000000000000",
      "1:101:11",
      "2:102:12",
    ]);
    expect(spawn?.descriptors).toEqual([10, 4]);
  });

  test("is shared by all clients that ask at the same time or within a second", async () => {
    const service = await withWorkers();
    for (let count = 0; count < 3; count++) await service.ask("ps", { measure: true });
    expect(measurements(service)).toHaveLength(1);
    expect(answers(service)).toHaveLength(0);
    await say(service, "w 1 1 4096 50 7\nw 2 1 8192 60 -\ns 0 7 0 128 0\nend\n");
    expect(answers(service).map(usages)).toEqual(
      Array(3).fill([
        [4096, 7],
        [8192, null],
      ]),
    );
    service.now += 900;
    await service.ask("ps", { measure: true });
    expect(answers(service)).toHaveLength(4);
    service.now += 200;
    await service.ask("ps", { measure: true });
    expect(measurements(service)).toHaveLength(2);
  });

  test("that took long is not repeated before ten times its duration", async () => {
    const service = await withWorkers();
    await service.ask("ps", { measure: true });
    service.now += 700;
    await say(service, "w 1 1 4096 50 100000\nend\n");
    service.now += 6000;
    await service.ask("ps", { measure: true });
    expect(measurements(service)).toHaveLength(1);
    service.now += 400;
    await service.ask("ps", { measure: true });
    expect(measurements(service)).toHaveLength(2);
  });

  test("continues when the supervisor is replaced between its parts", async () => {
    const service = await withWorkers();
    await service.ask("ps", { measure: true });
    await say(service, "w 1 1 4096 50 7\n");
    await service.start();
    await say(service, "w 2 1 8192 60 8\n");
    await service.start();
    expect(answers(service)).toHaveLength(0);
    await say(service, "end\n");
    expect(usages(answers(service)[0])).toEqual([
      [4096, 7],
      [8192, 8],
    ]);
    await service.start();
    await service.ask("ps", {});
    expect(usages(answers(service).at(-1))).toEqual([
      [4096, 7],
      [8192, 8],
    ]);
  });

  test("without a result keeps the previous values and answers all clients", async () => {
    const service = await withWorkers();
    await service.ask("ps", { measure: true });
    await say(service, "w 1 1 4096 50 7\nend\n");
    const exited = { kind: "exited", pid: 5, ending: 1, status: 14, tail: new Uint8Array() } as const;
    await service.send({ ...exited, worker: measurements(service).at(-1)?.worker ?? 0 });
    service.now += 2000;
    await service.ask("ps", { measure: true });
    await say(service, "w 1 1 5000 50 9\n");
    await service.send({ ...exited, worker: measurements(service).at(-1)?.worker ?? 0 });
    expect(answers(service).map(usages)).toEqual(Array(2).fill([[4096, 7], null]));
    expect(measurements(service)).toHaveLength(2);
  });
});
