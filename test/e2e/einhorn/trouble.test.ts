// Upgrades of einhorn's master that fail, or take long: the effect on workers, clients and waiting requests.
import { describe, expect } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { Client, EINHORN, EXECUTES, type Stage, scene, wrapper } from "../harness/einhorn.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

describe("an upgrade that fails", () => {
  const NOTHING_YET = "#!/bin/sh\nexit 1\n";
  for (const [what, script, reason] of [
    ["does not exist", null, /cannot be executed: no such file or directory/],
    ["fails the check", NOTHING_YET, /its check exited with status 1/],
    ["exits with 0 and does nothing", "#!/bin/sh\nexit 0\n", /exited with status 0 before it reported/],
    ["hangs in the check", "#!/bin/sh\nexec sleep 600\n", /its check took longer than 3 s/],
    [
      "hangs before it executes einhorn",
      '#!/bin/sh\n[ "$1" = --upgrade-check ] && exit 0\nexec sleep 600\n',
      /its supervisor did not report within 3 s/,
    ],
  ] as const)
    scene(`because its command ${what} is reported, and the next one succeeds`, async (stage) => {
      const command = stage.path("command");
      if (script !== null) writeFileSync(command, script, { mode: 0o755 });
      // Commands that do not hang get enough time, however busy the machine is.
      const patience = what.startsWith("hangs") ? "3" : "60";
      const master = stage.master(["-n", "2", "--reexec-as", command, "--reexec-timeout", patience]);
      const before = await stage.ready(2);
      expect(await stage.sh("upgrade")).toMatch(reason);
      await waitFor("the reason in the log", () => /ERROR: .*is not upgraded/.test(master.stderr()));
      expect(await stage.ready(2)).toEqual(before);
      // A wrapper that is busy takes its time.
      writeFileSync(command, `#!/bin/sh\nexec ${EINHORN} "$@"\n`, { mode: 0o755 });
      await waitFor("an upgrade that succeeds", async () => (await stage.sh("upgrade")).endsWith("Upgrade done"));
      expect((await stage.ready(2)).some((pid) => before.includes(pid))).toBe(false);
      expect(isAlive(master.pid)).toBe(true);
    });
});

describe("while a slow command is being executed", () => {
  /** Waits for a file before it continues. */
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
    const between = await waitFor("another worker", async () => {
      const pids = await stage.ready(2);
      return !pids.includes(first) && pids;
    });
    expect(between).toContain(second);
    expect(await stage.sh("state")).toContain(":upgrading: true");
    go();
    expect(await upgrade).toEndWith("Upgrade done");
    expect((await stage.ready(2)).some((pid) => between.includes(pid))).toBe(false);
  });

  scene("clients stay connected, their half lines count, and they get their messages afterwards", async (stage) => {
    const { command, go, begun } = slow(stage);
    stage.master(["--reexec-as", command]);
    await stage.ready(1);
    const [one, two] = [new Client(stage.socket), new Client(stage.socket)];
    one.write('{"command":"upgrade","id":"7"}\n');
    expect(await one.line(1)).toBe('---%0Amessage: Upgrading smoothly, as commanded%0Arequest_id: "7"%0Await: true%0A');
    two.write('{"command":"ehlo","id":');
    await begun();
    go();
    const messages = await one.messages(/Upgrade done/);
    for (const message of messages.slice(0, -1)) expect(message).toEndWith('request_id: "7"%0Await: true%0A');
    expect(messages.at(-1)).toBe('---%0Amessage: Upgrade done%0Arequest_id: "7"%0A');
    two.write("8}\n");
    expect(await two.line(1)).toContain("request_id: 8");
    for (const client of [one, two]) client.close();
  });

  scene("another upgrade follows the first one, and both clients are answered", async (stage) => {
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

  scene("a shutdown is not delayed, and the waiting client is answered", async (stage) => {
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
