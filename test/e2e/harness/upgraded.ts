// A service whose crank is upgraded: an installation behind a link, and what must be the same afterwards.
import { readdirSync, readFileSync } from "node:fs";
import type { Info } from "../../../src/control/messages.ts";
import type { Running } from "./bench.ts";
import { install, pointTo } from "./installation.ts";
import { descendants } from "./processes.ts";
import { Service } from "./service.ts";
import { waitFor } from "./wait.ts";

export class Upgraded extends Service {
  /** The first target of the link. */
  installed = "";

  override async open(): Promise<void> {
    await super.open();
    this.installed = install(this.path("one"));
    pointTo(this.link, this.installed);
  }

  /** The path that starts crank: a link. */
  get link(): string {
    return this.path("crank");
  }

  protected override get program(): string {
    return this.link;
  }

  /** Starts crank by a descriptor of the program, as systemd does. */
  startByDescriptor(): Promise<Running> {
    const script =
      "import os, sys; os.execve(os.open(sys.argv[1], os.O_RDONLY | os.O_CLOEXEC), sys.argv[1:], os.environ)";
    return this.launch(["python3", "-c", script, ...this.crankCommand()]);
  }

  /** Waits for this many upgrades in all. */
  upgrades(count: number): Promise<Info> {
    return waitFor(`${count} upgrades`, async () => {
      const info = await this.info();
      return info.upgrades === count && info;
    });
  }

  /** The keeper's open descriptors. */
  descriptors(): string[] {
    return readdirSync(`/proc/${this.crank.pid}/fd`);
  }

  /** Waits until the keeper has at most this many open descriptors. */
  async hasDescriptors(most: number): Promise<void> {
    await waitFor(`at most ${most} open descriptors`, async () => {
      // The supervisor is awake then, and has its own.
      await this.info();
      return this.descriptors().length <= most;
    });
  }

  zombies(): number[] {
    return descendants(this.crank.pid).filter(isZombie);
  }

  /** Waits until every ended process is reaped. */
  async hasNoZombies(): Promise<void> {
    await waitFor("no zombies", () => this.zombies().length === 0);
  }
}

const isZombie = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};
