// A service whose disk stays full for longer than the journal's reserve lasts, and whose keeper is killed before there is
// room again.
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import type { Status, WorkerInfo } from "../../../src/control/messages.ts";
import { readJournal } from "../../../src/keeper/journal.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK, CRANKCTL, type Ended, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { freePorts } from "../harness/ports.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

needing(ROOT_USER).test(
  "the next crank knows every worker, though no journal lists them",
  async () => {
    const disk = web.path("disk");
    mkdirSync(disk);
    // A disk of its own, for as long as this process lives.
    const mount = `mount -t tmpfs -o size=768k crank-test "${disk}" && echo there && exec sleep 600`;
    const holder = web.bench.start(["unshare", "--mount", "--", "sh", "-c", mount]);
    await holder.wrote("stdout", "there");
    const inside = ["nsenter", "-t", String(holder.pid), "-m", `--wd=${web.directory}`, "--"];
    const seen = (name: string): string => `/proc/${holder.pid}/root${disk}/${name}`;
    const [port = 0] = await freePorts(1);
    const start = async (words: string): Promise<Running> => {
      const flags = ["-prefix", disk, "-name", "web", "-bind", `127.0.0.1:${port}`, "-respawn"];
      const crank = await web.launch([...inside, CRANK, ...flags]);
      await crank.wrote("stderr", words);
      return crank;
    };
    const ctl = (...args: string[]): Promise<Ended> =>
      web.bench.run([...inside, CRANKCTL, "-prefix", disk, "-name", "web", ...args]);
    const workers = async (): Promise<WorkerInfo[]> => {
      const status: Status = JSON.parse((await ctl("status", "-json")).stdout);
      return status.workers.filter(({ state }) => state === "ready");
    };
    const crank = await start("Listening on");
    const run = (...args: string[]) => ctl("run", "-wait", "-stop", "2", ...args, "--", ...RESPONDER, "v1");
    expect(await run("-instances", "2")).toMatchObject({ status: 0 });
    const fill = () => web.bench.run([...inside, "sh", "-c", `cat /dev/zero >> "${disk}/ballast"`]);
    await fill();
    // A long spec: a few deploys of it need more than is reserved for the journal.
    const long = `WORDS=${"x".repeat(30_000)}`;
    const warning = "The journal cannot be written to disk";
    let status = "";
    for (let deploy = 0; deploy < 12 && !status.includes(warning); deploy++) {
      expect(await run("-env", `${long}${deploy}`)).toMatchObject({ status: 0 });
      // The file that is given up makes room, and it is tried again after a second.
      await fill();
      status = (await ctl("status")).stdout;
    }
    expect(status).toContain(warning);
    await crank.wrote("stderr", "The journal cannot be written");
    const journal = seen("web.run/journal");
    expect(existsSync(journal) ? readJournal(readFileSync(journal)).kind : "stale").toBe("stale");
    await ctl("scale", "3");
    await waitFor("three workers", async () => (await workers()).length === 3);
    const before = (await workers()).map(({ pid }) => pid ?? 0);
    await web.kill();
    truncateSync(seen("ballast"), 0);
    const next = await start("Adopted 3 of the 3 workers");
    // Whether by a journal that has just been written again, by the record, or in its place: none goes on unseen.
    await waitFor("only those that are known", async () => {
      const known = (await workers()).map(({ pid }) => pid);
      return known.length >= 2 && before.every((pid) => known.includes(pid) || !isAlive(pid));
    });
    // A rollout that the full disk interrupted may still be in progress.
    await waitFor("a deploy", async () => (await run("-instances", "1")).status === 0);
    await waitFor("the end of all that there were", () => before.every((pid) => !isAlive(pid)));
    next.signal("SIGTERM");
    expect(await next.ended).toMatchObject({ status: 0 });
  },
  120_000,
);
