// New programs that fail when they are tried: what runs goes on, and the client that asked gets the reason.
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { installScript, passesItsCheck } from "../harness/installation.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";
import { Refusing } from "./refused.ts";

const service = eachTest(new Refusing());

describe("an upgrade to a program", () => {
  test("that does not exist, or cannot be executed, is refused", async () => {
    await service.expectRefusal(service.path("nowhere"), "no such file");
    const plain = service.path("plain");
    writeFileSync(plain, "text");
    await service.expectRefusal(plain, "not executable");
    await service.expectRefusal(service.bench.directory, "not executable");
    chmodSync(plain, 0o755);
    await service.expectRefusal(plain, "it cannot be executed: exec format error");
    await service.expectUpgrade();
  });

  test("that is another program is refused", async () => {
    await service.expectRefusal("/bin/true", "it exited without an answer to the check");
    await service.expectRefusal("/bin/false", "its check exited with status 1");
  });

  test("that crashes in its check is refused, with its last output", async () => {
    const crash = installScript(service.path("two"), "echo 'something is wrong' >&2; kill -SEGV $$");
    await service.expectRefusal(crash, "its check was killed by SIGSEGV: something is wrong");
    await service.expectUpgrade();
  });

  test("that hangs in its check is refused after a while, and deploys continue meanwhile", async () => {
    const pids = service.path("pids");
    const hang = installScript(service.path("two"), `echo $$ >> ${pids}; sleep 600 & echo $! >> ${pids}; wait`);
    const answer = service.ctl("upgrade", "-wait", "-exec", hang);
    await waitFor("the check", () => existsSync(pids));
    expect(await service.run(...RESPONDER, "one")).toMatchObject({ status: 0 });
    expect(await answer).toMatchObject({ status: 1 });
    expect((await answer).stderr).toContain("its check took longer than 10 s");
    for (const pid of readFileSync(pids, "utf8").trim().split("\n").map(Number))
      await waitFor("the end of the check, and of what it started", () => !isAlive(pid));
    expect(await service.info()).toMatchObject({ pid: service.crank.pid, upgrades: 0, supervisorDeaths: 0 });
  });

  test("whose keeper ends, crashes or hangs when it tries to take over is refused", async () => {
    for (const [name, misdeed, reason] of [
      ["ends", "exit 3", "it exited with status 3"],
      ["crashes", "kill -SEGV $$", "it was killed by SIGSEGV"],
      ["hangs", "exec sleep 600", "it was killed by SIGALRM"],
    ] as const) {
      const directory = service.path(name);
      const program = installScript(directory, `${passesItsCheck(directory)}\n${misdeed}`);
      await service.expectRefusal(program, `its keeper could not take over in a dry run; ${reason}`);
    }
    await service.expectUpgrade();
  });
});
