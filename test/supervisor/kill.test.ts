// What crankctl kill waits for.
import { expect, test } from "bun:test";
import { type Batch, Supervised } from "./supervised.ts";

/** A crank with a running worker, and others whose starts never finish. */
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

test("crankctl kill waits for its own signals, not for workers that start", async () => {
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

test("crankctl kill reports a signal that cannot be sent after it has tried all", async () => {
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
