// The service `web` with one worker, and upgrades of its crank that are refused: nothing else may have changed then.

import { expect } from "bun:test";
import { readlinkSync } from "node:fs";
import { changeKeeper, install } from "./installation.ts";
import { waitFor } from "./service.ts";
import { RESPONDER, Upgraded } from "./upgraded.ts";

export class Refusing extends Upgraded {
  #workers: readonly number[] = [];
  #descriptors = 0;

  /** Starts crank, with a worker and more variables. */
  static async open(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Refusing> {
    const service = new Refusing(env);
    await service.start(...args);
    await service.deploy(...RESPONDER, "one");
    await service.note();
    return service;
  }

  /** What is now is what is not to change. */
  async note(): Promise<void> {
    this.#workers = await waitFor("one worker", async () => {
      const workers = await this.workers();
      return workers.length === 1 && workers;
    });
    this.#descriptors = this.descriptors().length;
  }

  /** The upgrade is refused with this, and nothing else has changed. */
  async expectRefusal(exec: string, reason: string): Promise<void> {
    const refused = await this.ctl("upgrade", "-wait", "-exec", exec);
    expect(refused.stderr).toContain(`ERROR: command failed: Crank is not upgraded to ${exec}: `);
    expect(refused.stderr).toContain(reason);
    expect(refused.status).toBe(1);
    await this.expectUnchanged();
  }

  async expectUnchanged(): Promise<void> {
    const { crank } = this;
    expect(readlinkSync(`/proc/${crank.pid}/exe`)).toBe(this.installed);
    expect(await this.info()).toMatchObject({ pid: crank.pid, upgrades: 0, supervisorDeaths: 0 });
    expect(await this.workers()).toEqual([...this.#workers]);
    expect(await this.answer()).toStartWith("one ");
    await waitFor("what was opened for it to be closed", async () => {
      await this.info();
      return this.descriptors().length <= this.#descriptors;
    });
    await waitFor("nobody to be left that has ended", () => this.zombies().length === 0);
  }

  /** Another one goes well all the same. */
  async expectUpgrade(): Promise<void> {
    const good = install(this.path("good"));
    changeKeeper(good);
    expect((await this.ctl("upgrade", "-wait", "-exec", good)).stdout).toContain("supervisor and keeper");
    expect(await this.workers()).toEqual([...this.#workers]);
  }
}
