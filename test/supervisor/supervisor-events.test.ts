// A problem that a keeper reports becomes one numbered event and one line of the log, whichever process is killed meanwhile.
import { expect, test } from "bun:test";
import type { SentCommand } from "../../src/keeper/protocol.ts";
import { Supervised } from "./supervised.ts";

const said = (batches: readonly (readonly SentCommand[])[], kind: "log" | "write"): string[] =>
  batches.flat().flatMap((command) => (command.kind === kind ? [String(command.bytes)] : []));

const MESSAGE = { kind: "quarantined", event: 99, bytes: new Uint8Array(3) } as const;
const JOURNAL = { kind: "journalFailed", step: "write", errno: 28 } as const;

test.each([
  ["messageSetAside", MESSAGE, "Three supervisors crashed on the same message, which is skipped (event 99, 3 bytes)"],
  ["journalFailed", JOURNAL, "The journal cannot be written (write: no space left on device)"],
])("%s", async (kind, event, sentence) => {
  const supervised = new Supervised();
  await supervised.serve();
  await supervised.ask("events", { follow: true });
  const batches = await supervised.send(event);
  expect(said(batches, "log").filter((line) => line.includes(sentence))).toHaveLength(1);
  expect(said(batches, "write")).toEqual([expect.stringContaining(`"method":"happening","params":{"seq":1,`)]);
  const asked = said(await supervised.ask("events", { from: 0 }), "write");
  expect(asked.filter((line) => line.includes(`"kind":"${kind}"`))).toHaveLength(1);
});

test("an event whose supervisor is killed before it is published is published by the next one", async () => {
  const supervised = new Supervised();
  await supervised.serve();
  supervised.batchesLeft = 1;
  await supervised.send(JOURNAL);
  supervised.batchesLeft = Number.POSITIVE_INFINITY;
  const batches = [...supervised.batches, ...(await supervised.start())];
  expect(said(batches, "log").filter((line) => line.includes("The journal cannot be written"))).toHaveLength(1);
});
