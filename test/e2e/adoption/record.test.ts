// The history of good runs after a crank is killed, and after its record was damaged or removed.
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const service = eachTest(new Service({ port: "fixed" }));

type Run = { readonly generation: number };

const history = async (): Promise<number[]> => (await service.history()).map(({ generation }) => generation);

/** What the next crank finds after a reboot. */
const recorded = (name = "web.conf"): number[] => {
  const record = JSON.parse(readFileSync(service.path(name), "utf8"));
  return (record.crank?.history ?? []).map(({ generation }: Run) => generation);
};

const deploy = (word: string): Promise<void> => service.deploy("--", ...RESPONDER, word);

test("the history is the same after any number of adoptions, and rollback follows it", async () => {
  await service.start();
  await deploy("v1");
  await deploy("v2");
  await service.replace();
  expect(await history()).toEqual([1, 2]);
  await service.replace();
  expect(await history()).toEqual([1, 2]);
  await service.ctl("reload", "-wait");
  await service.replace();
  expect(await history()).toEqual([1, 3]);
  expect((await service.ctl("rollback", "-wait")).status).toBe(0);
  await service.answers("v1");
  expect(await history()).toEqual([1, 3, 4]);
  expect(recorded()).toEqual([1, 3, 4]);
});

test("ten good runs stay ten, and the next one replaces the oldest", async () => {
  await service.start();
  for (let run = 1; run <= 11; run++) await deploy(`v${run}`);
  await service.replace();
  expect(await history()).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  await deploy("v12");
  expect(recorded()).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

test("an unreadable record is rewritten from what is adopted, before any deploy", async () => {
  await service.start();
  await deploy("v1");
  await deploy("v2");
  await service.kill();
  writeFileSync(service.path("web.conf"), '{"cwd":"/","comm');
  const next = await service.adopt();
  await next.wrote("stderr", "kept as");
  await waitFor("the record", () => recorded().join() === "1,2");
  expect(await history()).toEqual([1, 2]);
});

test("an adopted service is written to a record at a new path, and a foreign record there is kept", async () => {
  await service.start();
  await deploy("v1");
  await deploy("v2");
  const foreign = JSON.parse(readFileSync(service.path("web.conf"), "utf8"));
  const entries: { generation: number; spec: { command: string[] } }[] = foreign.crank.history;
  for (const entry of entries) entry.spec.command = ["other", `v${entry.generation}`];
  const later = { ...entries[1], generation: 9, spec: { ...entries[1]?.spec, command: ["other", "v9"] } };
  const text = JSON.stringify({ ...foreign, crank: { version: 1, history: [...entries, later] } });
  writeFileSync(service.path("other.conf"), text);
  await service.kill();
  const next = await service.adopt("-conf", service.path("other.conf"));
  await next.wrote("stderr", "under these generations: 1, 2, 9");
  await waitFor("the record", () => recorded("other.conf").join() === "1,2");
  expect(JSON.parse(readFileSync(service.path("other.conf"), "utf8")).command).toContain("v2");
  const copy = readdirSync(service.directory).find((name) => name.startsWith("other.conf.bad-")) ?? "";
  expect(readFileSync(service.path(copy), "utf8")).toBe(text);
  await deploy("v3");
  expect(await history()).toEqual([1, 2, 10]);
});

test("a good run whose record was never written is started again even if no process of it is left", async () => {
  await service.start();
  await deploy("v1");
  const [pid = 0] = await service.pids();
  await service.kill();
  process.kill(pid, "SIGKILL");
  await waitFor("its end", () => !isAlive(pid));
  // As if the disk had hung until then.
  writeFileSync(service.path("web.conf"), "{}\n");
  await service.start();
  await service.ready();
  await service.answers("v1");
  await waitFor("the record", () => recorded().join() === "2");
});

test("a record with one damaged run loses only that run, and crank says so", async () => {
  let crank = await service.start();
  for (const word of ["v1", "v2", "v3"]) await deploy(word);
  crank.signal("SIGTERM");
  await crank.ended;
  const record = JSON.parse(readFileSync(service.path("web.conf"), "utf8"));
  record.crank.history[1].spec.command = "v2";
  writeFileSync(service.path("web.conf"), JSON.stringify(record));
  crank = await service.start();
  await crank.wrote("stderr", "wrong value at crank.history.1.spec.command");
  await service.ready();
  await service.answers("v3");
  expect(readFileSync(service.path("web.conf.bad-1"), "utf8")).toBe(JSON.stringify(record));
});
