// How einhorn's master is replaced in place: by itself or through a command.
import { describe, expect } from "bun:test";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import type { Running } from "../harness/bench.ts";
import { EINHORN, EXECUTES, niceOf, type Stage, scene, titleOf, WORKER, wrapper } from "../harness/einhorn.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

const said = (path: string): string[] => readFileSync(`${path}.said`, "utf8").trim().split("\n");

const environments = (master: Running): Record<string, string>[] =>
  [...master.stdout().matchAll(/^\{.*\}$/gm)].map(([json]) => JSON.parse(json));

describe("the master", () => {
  scene("is replaced in place by reload: the same process, files, sockets and workers", async (stage) => {
    const master = stage.master(["-n", "2"]);
    const workers = await stage.ready(2);
    const title = titleOf(master.pid);
    expect(await stage.sh("reload")).toBe("Reloading, as commanded");
    await stage.state(/:generation: 1$/m);
    expect(await stage.ready(2)).toEqual(workers);
    expect(isAlive(master.pid)).toBe(true);
    expect(titleOf(master.pid)).toBe(title);
    expect(readFileSync(stage.path("einhorn.pid"), "utf8")).toBe(String(master.pid));
    await master.wrote("stderr", "INFO: Upgraded from");
  });

  for (const [how, ask] of [
    ["upgrade", (stage: Stage) => stage.sh("upgrade")],
    ["upgrade_fleet", (stage: Stage) => stage.sh("upgrade_fleet")],
    [
      "SIGHUP",
      async (stage: Stage, master: Running) => {
        master.signal("SIGHUP");
        await stage.state(/:generation: 1$/m);
      },
    ],
  ] as const)
    scene(`is replaced before the workers by ${how}`, async (stage) => {
      const master = stage.master(["-n", "2"]);
      const before = await stage.ready(2);
      await ask(stage, master);
      await waitFor("the end of the old", () => before.every((pid) => !isAlive(pid)));
      const after = await stage.ready(2);
      expect(after.some((pid) => before.includes(pid))).toBe(false);
      await master.wrote("stderr", "Rolling out generation 2");
      const log = master.stderr();
      expect(log.indexOf("Upgraded from")).toBeGreaterThan(0);
      expect(log.indexOf("Upgraded from")).toBeLessThan(log.indexOf("Rolling out generation 2"));
    });
});

describe("--reexec-as", () => {
  scene("is checked and started with the command lines that wrappers expect, with open descriptors", async (stage) => {
    const command = wrapper(stage, `shift; [ "$1" = --upgrade-check ] || ls /proc/$$/fd >"$0.open"; ${EXECUTES}`);
    stage.master(["--reexec-as", `${command} 'two words'`]);
    const python = /:cmd:\n {2}- "?([^"\n]+)/.exec(await stage.state(/:acked: true/))?.[1];
    expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
    const words = `-- ${python} ${WORKER} v1 ack`;
    const [check, start] = said(command);
    expect(check).toBe(`two words --upgrade-check ${words}`);
    const fd = /^two words --with-state-fd (\d+) /.exec(start ?? "")?.[1] ?? "none";
    expect(start).toBe(`two words --with-state-fd ${fd} ${words}`);
    expect(readFileSync(`${command}.open`, "utf8").split("\n")).toContain(fd);
  });

  scene("changes the settings of later workers", async (stage) => {
    const limits = "ulimit -S -c 0; ulimit -S -n 123";
    const base = `export TEST_ADDED=here; unset TEST_TAKEN; umask 027; cd /usr; ${limits}`;
    const command = wrapper(stage, `${base}; exec nice -n 2 $EINHORN "$@"`);
    const flags = ["-m", "manual", "--drop-env-var", "TEST_DROPPED", "--reexec-as", command];
    const master = stage.start([...flags, "python3", WORKER, "v1", "ack", "environment"], {
      TEST_TAKEN: "1",
      TEST_DROPPED: "1",
      TEST_KEPT: "1",
    });
    const [old = 0] = await stage.ready(1);
    const nice = niceOf(old);
    for (let upgrade = 1; upgrade <= 2; upgrade++) {
      expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
      const [pid = 0] = await stage.ready(1);
      const proc = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
      expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/usr");
      expect(proc("status")).toMatch(/^Umask:\t0027$/m);
      expect(proc("limits")).toMatch(/^Max open files +123 /m);
      expect(proc("limits")).toMatch(/^Max core file size +0 /m);
      // The second one starts from what the first one left.
      expect(niceOf(pid)).toBe(Math.min(19, nice + 2 * upgrade));
    }
    await waitFor("three environments", () => environments(master).length === 3);
    const [first, second, third] = environments(master);
    expect(first).toMatchObject({ TEST_TAKEN: "1", TEST_DROPPED: "1", TEST_KEPT: "1" });
    for (const later of [second, third]) {
      expect(later).toMatchObject({ TEST_ADDED: "here", TEST_KEPT: "1" });
      expect([later?.TEST_TAKEN, later?.TEST_DROPPED]).toEqual([undefined, undefined]);
    }
  });

  scene("may change the directory, where a relative path is another program", async (stage) => {
    for (const release of ["one", "two"]) {
      await stage.bench.run(["mkdir", stage.path(release)]);
      const script = `#!/bin/sh\necho worker of ${release}\nexec sleep 600\n`;
      writeFileSync(stage.path(`${release}/worker`), script, { mode: 0o755 });
    }
    const command = wrapper(stage, `cd ${stage.path("two")}; ${EXECUTES}`);
    const inOne = ["sh", "-c", 'cd "$0" && exec "$@"', stage.path("one")];
    const einhorn = [EINHORN, "-d", stage.socket, "-m", "0", "--reexec-as", command, "./worker"];
    const master = stage.bench.start([...inOne, ...einhorn], { env: { TMPDIR: stage.bench.directory } });
    await waitFor("the first", () => master.stdout().includes("worker of one"));
    expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
    await waitFor("the second", () => master.stdout().includes("worker of two"));
  });

  scene("may fork, and wait for its child", async (stage) => {
    const command = wrapper(stage, '[ "$1" = --upgrade-check ] && exit 0; $EINHORN "$@" <&0 & wait');
    const master = stage.master(["--reexec-as", command]);
    const [old = 0] = await stage.ready(1);
    expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
    expect(await stage.ready(1)).not.toEqual([old]);
    expect(isAlive(master.pid)).toBe(true);
  });
});
