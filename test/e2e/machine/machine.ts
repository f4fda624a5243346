// A machine with a real systemd, in its own namespaces (machine.sh): it shares only the network with this one.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Fact } from "../../needs.ts";
import { type Bench, type Ended, ROOT, type Running } from "../harness/bench.ts";
import { descendants } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

const SCRIPT = join(ROOT, "test/e2e/machine/machine.sh");

export class Machine {
  readonly #bench: Bench;
  readonly #boot: Running;
  readonly #pid: number;

  private constructor(bench: Bench, boot: Running, pid: number) {
    this.#bench = bench;
    this.#boot = boot;
    this.#pid = pid;
  }

  /** Boots it with the units of a folder of contrib/systemd, each changed by `change`. */
  static async with(bench: Bench, folder: string, change: (unit: string) => string): Promise<Machine> {
    const directory = join(bench.directory, "machine");
    const units = join(directory, "units");
    mkdirSync(directory);
    cpSync(join(ROOT, "contrib/systemd", folder), units, { recursive: true });
    for (const name of readdirSync(units)) {
      const unit = readFileSync(join(units, name), "utf8").replaceAll("/usr/local/bin/", `${ROOT}/bin/`);
      writeFileSync(join(units, name), change(unit));
    }
    const boot = bench.start(["unshare", "--mount", "sh", SCRIPT, directory]);
    const pid = await waitFor("the machine's first process", () => {
      if (boot.stderr() !== "") throw new Error(boot.stderr());
      return systemdBelow(boot.pid);
    });
    const machine = new Machine(bench, boot, pid);
    await waitFor("systemd", async () => (await machine.run("systemctl", "is-system-running")).stdout === "running\n");
    return machine;
  }

  /** Runs a program there. */
  run(...command: readonly string[]): Promise<Ended> {
    const there = ["--mount", "--pid", "--cgroup", "--uts", "--ipc"];
    return this.#bench.run(["nsenter", "-t", String(this.#pid), ...there, "--", ...command]);
  }

  /** A property of a unit, as `systemctl show` has it. */
  async show(unit: string, property: string): Promise<string> {
    return (await this.run("systemctl", "show", "--value", "-p", property, unit)).stdout.trim();
  }

  /** Ends it at once, with everything that runs there. */
  async end(): Promise<void> {
    process.kill(this.#pid, "SIGKILL");
    await this.#boot.ended;
  }
}

/** The machine's first process, once the shell that prepares it has become systemd. */
const systemdBelow = (pid: number): number | undefined =>
  descendants(pid).find((below) => {
    try {
      return readFileSync(`/proc/${below}/comm`, "utf8") === "systemd\n";
    } catch {
      return false;
    }
  });

/** Whether namespaces can be made and a control group file system be mounted here: usually as root. */
export const machines = (): Fact => {
  const trial = ["mount", "-t", "cgroup2", "cgroup2", "/mnt"];
  const tried = Bun.spawnSync(["unshare", "--mount", "--pid", "--fork", "--cgroup", "--mount-proc", ...trial]);
  return { name: "root with namespaces and cgroup v2", isMet: tried.success };
};
