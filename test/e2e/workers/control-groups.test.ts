// With a delegated control group, each worker has a group of its own, by which crank finds all of its processes.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { CRANK, ROOT, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";
import { PATIENT, sh, treesOf } from "./trees.ts";

/** The mount of control groups version 2, if this user may create groups. */
const GROUPS =
  /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1] ?? "/nowhere";
const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
};
const HAS_GROUPS = isWritable(GROUPS);

const service = eachTest(new Service({ port: "fixed" }));
const { run, deploy, servers, shown } = treesOf(service);

describe.skipIf(!HAS_GROUPS)("with a delegated control group", () => {
  let group: string;
  beforeEach(() => {
    group = mkdtempSync(join(GROUPS, "crank-test-"));
    const marked = Bun.spawnSync([
      "python3",
      "-c",
      "import os,sys;os.setxattr(sys.argv[1],'trusted.delegate',b'1')",
      group,
    ]);
    expect(marked.exitCode).toBe(0);
  });
  afterEach(async () => {
    await service.bench.clean();
    // A failed test leaves its workers' groups behind, with the processes in them.
    for (const name of groups()) await endGroup(join(group, name));
    await endGroup(group);
  });

  /** Kills everything in a group, and removes the group once that has ended. */
  const endGroup = async (path: string): Promise<void> => {
    await waitFor("the group's end", () => {
      try {
        writeFileSync(join(path, "cgroup.kill"), "1");
        rmdirSync(path);
        return true;
      } catch {
        return !existsSync(path);
      }
    });
  };

  /** crank, started in the group. */
  const start = (program = CRANK): Promise<Running> => {
    const script = 'echo $$ > "$0/cgroup.procs"; exec "$@"';
    return service.launch(["sh", "-c", script, group, program, ...service.crankCommand().slice(1)]);
  };
  const groups = (): string[] => readdirSync(group).filter((name) => name.startsWith("crank-"));

  test("each worker has its own group, and no process can be taken for another worker's", async () => {
    const crank = await start();
    await deploy(...sh(`exec ${PATIENT} old`));
    expect(groups()).toEqual([`crank-${crank.pid}-1`]);
    // Without environment, descriptors and session: only its group tells to which worker it belongs.
    const lost = `setsid env -i PIDS=$PIDS PATH=$PATH ${PATIENT} bad silent </dev/null >/dev/null 2>&1 4<&-`;
    const failed = await run(...sh(`${lost} & while [ $(wc -l < $PIDS) -lt 2 ]; do sleep 0.01; done; exit 1`));
    expect(failed).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("exited with status 1 before it was ready"),
    });
    expect(servers().map(isAlive)).toEqual([true, false]);
    await waitFor("one group", () => groups().length === 1);
    crank.signal("SIGTERM");
    await crank.ended;
    expect(groups()).toEqual([]);
  });

  test.each([
    ["at once where the kernel can kill a group", CRANK],
    ["one by one where it cannot", join(ROOT, "build/older/bin/crank")],
  ])("processes that fork without end in it are killed, %s", async (_, program) => {
    const crank = await start(program);
    // It ends by itself when the test's directory is gone.
    const hopping = `import os, time
for start in range(3):
    if os.fork() == 0:
        os.setsid()
        while os.path.exists(${JSON.stringify(service.directory)}):
            if os.fork() > 0: os._exit(0)
            time.sleep(0.001)
        os._exit(0)`;
    await deploy("-stop", "0.2", ...sh(`python3 -c '${hopping}'; exec ${PATIENT} old`));
    expect(
      readFileSync(join(group, groups()[0] ?? "", "cgroup.procs"), "utf8")
        .trim()
        .split("\n").length,
    ).toBeGreaterThan(1);
    await deploy(...sh(`exec ${PATIENT} new`));
    await waitFor("the old worker's end", async () => (await shown(1)) === undefined);
    await waitFor("the new one's group alone", () => groups().length === 1);
    crank.signal("SIGTERM");
    await crank.ended;
  });

  test("processes that an adopted worker has started are found by it", async () => {
    await start();
    const lost = `setsid env -i PIDS=$PIDS PATH=$PATH ${PATIENT} old silent deaf </dev/null >/dev/null 2>&1 4<&-`;
    await deploy("-stop", "0.5", ...sh(`${lost} & exec ${PATIENT} old`));
    await waitFor("both", () => servers().length === 2);
    await service.kill();
    const second = await start();
    await second.wrote("stderr", "Adopted 1");
    await deploy(...sh(`exec ${PATIENT} new`));
    await waitFor("the old worker's end", async () => (await shown(1)) === undefined);
    expect(servers().slice(0, 2).filter(isAlive)).toEqual([]);
    await waitFor("the new one's group alone", () => groups().join() === `crank-${second.pid}-2`);
    second.signal("SIGTERM");
    await second.ended;
  });
});
