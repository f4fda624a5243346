// What crankctl kill waits for before it is answered.
import { expect, test } from "bun:test";
import { type Batch, Supervised } from "./supervised.ts";

/** A crank with a worker that runs, and others whose starts are under way and do not come to an end. */
const withStartsUnderWay = async (): Promise<Supervised> => {
  const service = new Supervised();
  await service.serve();
  await service.ask("run", { command: ["/bin/server"], instances: 3 });
  await service.send({ kind: "spawned", worker: 1, pid: 101, startTime: 1 });
  return service;
};

const answers = (batches: readonly Batch[]): unknown[] =>
  batches
    .flat()
    .flatMap((command) => (command.kind === "write" ? String(command.bytes).trim().split("\n") : []))
    .map((line) => JSON.parse(line));

test("it waits for its own signals alone, not for workers that are being started", async () => {
  const service = await withStartsUnderWay();
  const asked = await service.ask("kill", { pid: 101, signal: "HUP" });
  const sent = asked.find((batch) => batch.some(({ kind }) => kind === "signal")) ?? [];
  expect(sent.map(({ kind }) => kind).filter((kind) => ["signal", "mark", "barrier"].includes(kind))).toEqual([
    "signal",
    "mark",
  ]);
  expect(answers(asked)).toEqual([]);
  const [mark] = service.last("mark");
  const reached = await service.send({ kind: "reached", token: mark?.token ?? 0 });
  expect(answers(reached)).toEqual([{ jsonrpc: "2.0", id: 1, result: { pids: [101] } }]);
});

test("a signal that could not be sent is its answer, when all have been tried", async () => {
  const service = await withStartsUnderWay();
  await service.ask("kill", { pid: 101, signal: "HUP" });
  const [mark] = service.last("mark");
  const failed = await service.send({ kind: "failed", command: 41, id: 1, step: "kill", errno: 1 });
  expect(answers(failed)).toEqual([]);
  const reached = await service.send({ kind: "reached", token: mark?.token ?? 0 });
  expect(answers(reached)).toMatchObject([
    { id: 1, error: { message: expect.stringContaining("101 cannot be signalled") } },
  ]);
});
