// Starts that do not fit into one of the keeper's batches.
import { expect, test } from "bun:test";
import { encodeCommands } from "../../src/keeper/frames.ts";
import { LIMITS } from "../../src/keeper/protocol.ts";
import { Supervised } from "./supervised.ts";

const INSTANCES = 40;
const WORKERS = Array.from({ length: INSTANCES }, (_, index) => index + 1);
/** All of them together are larger than a batch may be. */
const ENVIRONMENT = Object.fromEntries(
  Array.from({ length: 6 }, (_, index) => [`V${index}`, "x".repeat(LIMITS.batchBytes / INSTANCES / 5)]),
);

const serving = async (): Promise<Supervised> => {
  const service = new Supervised();
  await service.serve();
  return service;
};

const run = (service: Supervised) =>
  service.ask("run", { command: ["/bin/server"], env: ENVIRONMENT, instances: INSTANCES });

const startedBy = (service: Supervised): number[] => service.commands("spawn").map(({ worker }) => worker);

test("many starts are sent in several batches, in order, none too large", async () => {
  const service = await serving();
  const batches = await run(service);
  expect(startedBy(service)).toEqual(WORKERS);
  expect(batches.length).toBeGreaterThan(4);
  for (const batch of batches) expect(encodeCommands(batch).length).toBeLessThan(LIMITS.batchBytes);
});

test("many starts are sent once, wherever the supervisor is killed between them", async () => {
  const whole = await run(await serving());
  for (let batches = 0; batches <= whole.length; batches++) {
    const service = await serving();
    service.batchesLeft = batches;
    await run(service);
    service.batchesLeft = Number.POSITIVE_INFINITY;
    await service.start();
    expect(startedBy(service)).toEqual(WORKERS);
    // Nothing is left for a third supervisor.
    await service.start();
    expect(startedBy(service)).toEqual(WORKERS);
  }
});
