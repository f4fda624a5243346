// What becomes of the history of good runs when a crank is killed, and when its record is not as it was left.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { killCrank, RESPONDER, Service } from "./harness/left.ts";
import { isAlive, waitFor } from "./harness/service.ts";

let service: Service;
beforeEach(async () => {
  service = await Service.open();
});
afterEach(() => service.clean());

type Run = { readonly generation: number };

const history = async (): Promise<number[]> => {
  const { stdout } = await service.bench.ctl("web", "history", "-json");
  return JSON.parse(stdout).map(({ generation }: Run) => generation);
};

/** What the next crank would find after a reboot. */
const recorded = (name = "web.conf"): number[] => {
  const record = JSON.parse(readFileSync(service.path(name), "utf8"));
  return (record.crank?.history ?? []).map(({ generation }: Run) => generation);
};

const deploy = (word: string): Promise<void> => service.deploy("--", ...RESPONDER, word);

test("the history is the same after any number of adoptions, and rollback leads back", async () => {
  let crank = await service.start();
  await deploy("v1");
  await deploy("v2");
  crank = await service.replace(crank);
  expect(await history()).toEqual([1, 2]);
  crank = await service.replace(crank);
  expect(await history()).toEqual([1, 2]);
  await service.bench.ctl("web", "reload", "-wait");
  crank = await service.replace(crank);
  expect(await history()).toEqual([1, 3]);
  expect((await service.bench.ctl("web", "rollback", "-wait")).status).toBe(0);
  expect(await service.ask()).toStartWith("v1 ");
  expect(await history()).toEqual([1, 3, 4]);
  expect(recorded()).toEqual([1, 3, 4]);
});

test("ten good runs stay ten, and the next one takes the place of the oldest", async () => {
  const crank = await service.start();
  for (let run = 1; run <= 11; run++) await deploy(`v${run}`);
  await service.replace(crank);
  expect(await history()).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  await deploy("v12");
  expect(recorded()).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

test("a record that has become unreadable is written again from what is adopted, before anything is deployed", async () => {
  const crank = await service.start();
  await deploy("v1");
  await deploy("v2");
  await killCrank(crank);
  writeFileSync(service.path("web.conf"), '{"cwd":"/","comm');
  const next = await service.adopt();
  await next.wrote("stderr", "kept as");
  await waitFor("the record", () => recorded().join() === "1,2");
  expect(await history()).toEqual([1, 2]);
});

test("an adopted service is written into another record, and a foreign one is kept", async () => {
  const crank = await service.start();
  await deploy("v1");
  await deploy("v2");
  const foreign = JSON.parse(readFileSync(service.path("web.conf"), "utf8"));
  const entries: { generation: number; spec: { command: string[] } }[] = foreign.crank.history;
  for (const entry of entries) entry.spec.command = ["other", `v${entry.generation}`];
  const later = { ...entries[1], generation: 9, spec: { ...entries[1]?.spec, command: ["other", "v9"] } };
  const text = JSON.stringify({ ...foreign, crank: { version: 1, history: [...entries, later] } });
  writeFileSync(service.path("other.conf"), text);
  await killCrank(crank);
  const next = await service.adopt("-conf", service.path("other.conf"));
  await next.wrote("stderr", "under these generations: 1, 2, 9");
  await waitFor("the record", () => recorded("other.conf").join() === "1,2");
  expect(JSON.parse(readFileSync(service.path("other.conf"), "utf8")).command).toContain("v2");
  const copy = readdirSync(service.bench.directory).find((name) => name.startsWith("other.conf.bad-")) ?? "";
  expect(readFileSync(service.path(copy), "utf8")).toBe(text);
  await deploy("v3");
  expect(await history()).toEqual([1, 2, 10]);
});

test("a good run whose record was never written is started again even if nothing of it is left", async () => {
  const crank = await service.start();
  await deploy("v1");
  const [pid = 0] = await service.pids();
  await killCrank(crank);
  process.kill(pid, "SIGKILL");
  await waitFor("its end", () => !isAlive(pid));
  // As if the disk had hung until then.
  writeFileSync(service.path("web.conf"), "{}\n");
  await service.start();
  await waitFor("a worker", async () => (await service.workers()).some(({ state }) => state === "ready"));
  expect(await service.ask()).toStartWith("v1 ");
  await waitFor("the record", () => recorded().join() === "2");
});

test("a record with a damaged run loses that one alone, and says so", async () => {
  let crank = await service.start();
  for (const word of ["v1", "v2", "v3"]) await deploy(word);
  crank.signal("SIGTERM");
  await crank.ended;
  const record = JSON.parse(readFileSync(service.path("web.conf"), "utf8"));
  record.crank.history[1].spec.command = "v2";
  writeFileSync(service.path("web.conf"), JSON.stringify(record));
  crank = await service.start();
  await crank.wrote("stderr", "wrong value at crank.history.1.spec.command");
  await waitFor("a worker", async () => (await service.workers()).some(({ state }) => state === "ready"));
  expect(await service.ask()).toStartWith("v3 ");
  expect(readFileSync(service.path("web.conf.bad-1"), "utf8")).toBe(JSON.stringify(record));
});
