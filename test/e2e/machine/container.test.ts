// crank as the first process of a container: it must reap orphans, and handle signals that the kernel withholds from a first
// process without a handler.
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { needing } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import type { Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { descendants } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
const containers = { name: "root with namespaces", isMet: Bun.spawnSync([...CONTAINER, "true"]).success };

const web = eachTest(new Service());

type Contained = { readonly container: Running; readonly keeper: number };

const contain = async (...args: string[]): Promise<Contained> => {
  const container = await web.launch([...CONTAINER, ...web.crankCommand(...args)]);
  const keeper = descendants(container.pid)[0] ?? 0;
  expect(field(keeper, "NSpid").at(-1)).toBe("1");
  return { container, keeper };
};

const field = (pid: number, name: string): string[] => {
  try {
    const line = readFileSync(`/proc/${pid}/status`, "utf8").match(new RegExp(`^${name}:\\s*(.*)$`, "m"));
    return (line?.[1] ?? "").split(/\s+/);
  } catch {
    return [];
  }
};

/** Sends a signal from inside, as a process of the container would. */
const fromInside = (keeper: number, signal: string) =>
  web.bench.run(["nsenter", "-t", String(keeper), "--pid", "--mount", "--", "kill", "-s", signal, "1"]);

needing(containers).describe("as the first process of a container crank", () => {
  test("reaps the orphans that its workers leave", async () => {
    const { keeper } = await contain();
    const hold = web.path("hold");
    const orphan = `setsid sh -c 'until [ -e ${hold} ]; do sleep 0.02; done' &`;
    const worker = `sh -c "${orphan} ${orphan} ${orphan}"; exec "$@"`;
    expect((await web.run("--", "sh", "-c", worker, "sh", ...RESPONDER, "v1")).status).toBe(0);
    const orphans = () =>
      descendants(keeper).filter((pid) => field(pid, "PPid")[0] === String(keeper) && field(pid, "Name")[0] === "sh");
    await waitFor("orphans that are crank's children", () => orphans().length === 3);
    writeFileSync(hold, "");
    await waitFor("their end", () => orphans().length === 0);
    await waitFor("no zombies", () => descendants(keeper).every((pid) => field(pid, "State")[0] !== "Z"));
    expect((await web.ctl("ps", "-ready")).stdout.trim().split("\n")).toHaveLength(1);
  });

  test.each(["TERM", "INT", "QUIT"])("ends on SIG%s from inside, its workers first, with status 0", async (signal) => {
    const { container, keeper } = await contain();
    expect((await web.run("--", ...RESPONDER, "v1")).status).toBe(0);
    await fromInside(keeper, signal);
    expect(await container.ended).toMatchObject({ status: 0 });
    await container.wrote("stderr", "with SIGTERM");
  });

  test("ends on SIGTERM from outside", async () => {
    const { container, keeper } = await contain();
    expect((await web.run("--", ...RESPONDER, "v1")).status).toBe(0);
    process.kill(keeper, "SIGTERM");
    expect(await container.ended).toMatchObject({ status: 0 });
  });

  test("exits with the failure of its last worker", async () => {
    const { container } = await contain();
    expect((await web.run("--", ...RESPONDER, "v1")).status).toBe(0);
    const { pid: inside } = await web.ready();
    const outside = descendants(container.pid).find((pid) => field(pid, "NSpid").at(-1) === String(inside)) ?? 0;
    process.kill(outside, "SIGKILL");
    expect((await container.ended).status).toBe(1);
  });

  test("stops its workers, because no next crank could adopt them", async () => {
    const { container, keeper } = await contain();
    expect((await web.run("--", ...RESPONDER, "v1")).status).toBe(0);
    await fromInside(keeper, "RTMIN+1");
    expect(await container.ended).toMatchObject({ status: 0 });
    await container.wrote("stderr", "crank is the first process of a container, and the others would end with it");
    await container.wrote("stderr", "with SIGTERM");
  });
});
