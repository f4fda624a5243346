// Starts that are more than one of the keeper's batches holds.
import { expect, test } from "bun:test";
import { encodeCommands } from "../../src/keeper/frames.ts";
import { LIMITS } from "../../src/keeper/protocol.ts";
import { Supervised } from "./supervised.ts";

const INSTANCES = 40;
const WORKERS = Array.from({ length: INSTANCES }, (_, index) => index + 1);
/** Of all of them together more than a batch may have. */
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

test("go out in several batches, in order, none of them too large", async () => {
  const service = await serving();
  const batches = await run(service);
  expect(startedBy(service)).toEqual(WORKERS);
  expect(batches.length).toBeGreaterThan(4);
  for (const batch of batches) expect(encodeCommands(batch).length).toBeLessThan(LIMITS.batchBytes);
});

test("go out once, wherever between them the supervisor is killed", async () => {
  const whole = await run(await serving());
  for (let batches = 0; batches <= whole.length; batches++) {
    const service = await serving();
    service.batchesLeft = batches;
    await run(service);
    service.batchesLeft = Number.POSITIVE_INFINITY;
    await service.start();
    expect(startedBy(service)).toEqual(WORKERS);
    // Nothing is left over for a third one.
    await service.start();
    expect(startedBy(service)).toEqual(WORKERS);
  }
});
