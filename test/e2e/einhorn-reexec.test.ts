// How einhorn's master is replaced in place: by itself or through a command, and what becomes of workers, clients and those
// who wait for it.
import { describe, expect } from "bun:test";
import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { Client, EINHORN, niceOf, type Stage, scene, titleOf, WORKER } from "./harness/einhorn.ts";
import { isAlive, type Running, waitFor } from "./harness/service.ts";

/** A command for --reexec-as that notes what it is called with; `body` has to execute `$EINHORN "$@"`. */
const wrapper = (stage: Stage, body: string): string => {
  const path = stage.path("wrapper");
  writeFileSync(path, `#!/bin/sh\necho "$*" >>"$0.said"\nEINHORN=${EINHORN}\n${body}\n`, { mode: 0o755 });
  return path;
};

const EXECUTES = 'exec $EINHORN "$@"';

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
    expect(master.stderr()).toContain("INFO: Upgraded from");
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
      const log = master.stderr();
      expect(log.indexOf("Upgraded from")).toBeGreaterThan(0);
      expect(log.indexOf("Upgraded from")).toBeLessThan(log.indexOf("Rolling out generation 2"));
    });
});

describe("--reexec-as", () => {
  scene("is checked and started with the command lines that wrappers know, descriptors open", async (stage) => {
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

  scene("leaves what later workers are started with", async (stage) => {
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
      // What the first one left is where the second one begins.
      expect(niceOf(pid)).toBe(Math.min(19, nice + 2 * upgrade));
    }
    const [first, second, third] = environments(master);
    expect(first).toMatchObject({ TEST_TAKEN: "1", TEST_DROPPED: "1", TEST_KEPT: "1" });
    for (const later of [second, third]) {
      expect(later).toMatchObject({ TEST_ADDED: "here", TEST_KEPT: "1" });
      expect([later?.TEST_TAKEN, later?.TEST_DROPPED]).toEqual([undefined, undefined]);
    }
  });

  scene("may lead to another directory, where a relative program is another one", async (stage) => {
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

  scene("may fork, and wait for what it started", async (stage) => {
    const command = wrapper(stage, '[ "$1" = --upgrade-check ] && exit 0; $EINHORN "$@" <&0 & wait');
    const master = stage.master(["--reexec-as", command]);
    const [old = 0] = await stage.ready(1);
    expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
    expect(await stage.ready(1)).not.toEqual([old]);
    expect(isAlive(master.pid)).toBe(true);
  });
});

describe("an upgrade that fails", () => {
  const NOTHING_YET = "#!/bin/sh\nexit 1\n";
  for (const [what, script, reason] of [
    ["is not there", null, /cannot be executed: no such file or directory/],
    ["says no to the check", NOTHING_YET, /its check ended with status 1/],
    ["exits with 0 and does nothing", "#!/bin/sh\nexit 0\n", /ended with status 0 before it was there/],
    ["hangs in the check", "#!/bin/sh\nexec sleep 600\n", /its check took longer than 0.5 s/],
    [
      "hangs before it executes einhorn",
      '#!/bin/sh\n[ "$1" = --upgrade-check ] && exit 0\nexec sleep 600\n',
      /its supervisor was not there within 0.5 s/,
    ],
  ] as const)
    scene(`because its command ${what} is told, and the next one does what it should`, async (stage) => {
      const command = stage.path("command");
      if (script !== null) writeFileSync(command, script, { mode: 0o755 });
      const master = stage.master(["-n", "2", "--reexec-as", command, "--reexec-timeout", "0.5"]);
      const before = await stage.ready(2);
      expect(await stage.sh("upgrade")).toMatch(reason);
      await waitFor("the reason in the log", () => /ERROR: .*is not upgraded/.test(master.stderr()));
      expect(await stage.sh("reload")).toBe("Reloading, as commanded");
      await waitFor("the second one in the log", () => master.stderr().split("is not upgraded").length > 2);
      expect(await stage.ready(2)).toEqual(before);
      // A wrapper that is busy takes its time.
      writeFileSync(command, `#!/bin/sh\nexec ${EINHORN} "$@"\n`, { mode: 0o755 });
      await waitFor("an upgrade that succeeds", async () => (await stage.sh("upgrade")).endsWith("Upgrade done"));
      expect((await stage.ready(2)).some((pid) => before.includes(pid))).toBe(false);
      expect(isAlive(master.pid)).toBe(true);
    });
});

describe("while a slow command is being executed", () => {
  /** Waits for a file before it goes on. */
  const slow = (stage: Stage): { readonly command: string; go(): void; readonly begun: () => Promise<true> } => {
    const command = wrapper(
      stage,
      `[ "$1" = --upgrade-check ] && exit 0; touch "$0.begun"; while [ ! -e "$0.go" ]; do sleep 0.01; done; ${EXECUTES}`,
    );
    return {
      command,
      go: () => writeFileSync(`${command}.go`, ""),
      begun: () => waitFor("its begin", () => existsSync(`${command}.begun`)),
    };
  };

  scene("a worker that dies is replaced, and the service answers", async (stage) => {
    const { command, go, begun } = slow(stage);
    stage.master(["-n", "2", "--reexec-as", command]);
    const [first = 0, second = 0] = await stage.ready(2);
    const upgrade = stage.sh("upgrade");
    await begun();
    process.kill(first, "SIGKILL");
    const between = await stage.ready(2);
    expect(between).toContain(second);
    expect(between).not.toContain(first);
    expect(await stage.sh("state")).toContain(":upgrading: true");
    go();
    expect(await upgrade).toEndWith("Upgrade done");
    expect((await stage.ready(2)).some((pid) => between.includes(pid))).toBe(false);
  });

  scene(
    "clients stay connected, half a line of theirs counts, and they get their messages afterwards",
    async (stage) => {
      const { command, go, begun } = slow(stage);
      stage.master(["--reexec-as", command]);
      await stage.ready(1);
      const [one, two] = [new Client(stage.socket), new Client(stage.socket)];
      one.write('{"command":"upgrade","id":"7"}\n');
      expect(await one.line(1)).toBe(
        '---%0Amessage: Upgrading smoothly, as commanded%0Arequest_id: "7"%0Await: true%0A',
      );
      two.write('{"command":"ehlo","id":');
      await begun();
      go();
      const messages = await one.messages(/Upgrade done/);
      for (const message of messages.slice(0, -1)) expect(message).toEndWith('request_id: "7"%0Await: true%0A');
      expect(messages.at(-1)).toBe('---%0Amessage: Upgrade done%0Arequest_id: "7"%0A');
      two.write("8}\n");
      expect(await two.line(1)).toContain("request_id: 8");
      for (const client of [one, two]) client.close();
    },
  );

  scene("another upgrade follows the first one, and both are told", async (stage) => {
    const { command, go, begun } = slow(stage);
    const master = stage.master(["--reexec-as", command]);
    await stage.ready(1);
    const first = stage.sh("upgrade");
    await begun();
    const second = stage.sh("upgrade_fleet");
    await waitFor("the second request", async () => (await stage.sh("state")).includes(":upgrading: true"));
    go();
    expect(await first).toEndWith("Upgrade done");
    expect(await second).toEndWith("Upgrade done");
    await stage.state(/:generation: [12]$/m);
    expect(isAlive(master.pid)).toBe(true);
  });

  scene("a shutdown is not held up, and who waits is told", async (stage) => {
    const { command, begun } = slow(stage);
    const master = stage.master(["--reexec-as", command]);
    await stage.ready(1);
    const upgrade = stage.sh("upgrade");
    await begun();
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
    expect(await upgrade).toEndWith("Upgrade abandoned: einhorn is going down");
  });
});
