// The service `web` with one worker, and upgrades of its crank that are refused: nothing else may change.
import { expect } from "bun:test";
import { readlinkSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { changeKeeper, install } from "../harness/installation.ts";
import { Upgraded } from "../harness/upgraded.ts";

export class Refusing extends Upgraded {
  readonly #args: readonly string[];
  #workers: readonly number[] = [];
  #descriptors = 0;

  /** `args`: flags of crank. */
  constructor(...args: readonly string[]) {
    super();
    this.#args = args;
  }

  /** Starts crank, with a worker. */
  override async open(): Promise<void> {
    await super.open();
    await this.start(...this.#args);
    await this.deploy(...RESPONDER, "one");
    await this.note();
  }

  /** The current state is the one that must not change. */
  async note(): Promise<void> {
    this.#workers = (await this.settled(1)).map(({ pid }) => pid);
    this.#descriptors = this.descriptors().length;
  }

  /** The upgrade is refused with this, and nothing else has changed. */
  async expectRefusal(exec: string, reason: string): Promise<void> {
    const refused = await this.ctl("upgrade", "-wait", "-exec", exec);
    expect(refused.stderr).toContain(`crankctl upgrade: Crank is not upgraded to ${exec}: `);
    expect(refused.stderr).toContain(reason);
    expect(refused.status).toBe(1);
    await this.expectUnchanged();
  }

  async expectUnchanged(): Promise<void> {
    const { crank } = this;
    expect(readlinkSync(`/proc/${crank.pid}/exe`)).toBe(this.installed);
    expect(await this.info()).toMatchObject({ pid: crank.pid, upgrades: 0, supervisorDeaths: 0 });
    expect(await this.allPids()).toEqual([...this.#workers]);
    expect(await this.ask()).toStartWith("one ");
    await this.hasDescriptors(this.#descriptors);
    await this.hasNoZombies();
  }

  /** An upgrade to a good program still works. */
  async expectUpgrade(): Promise<void> {
    const good = install(this.path("good"));
    changeKeeper(good);
    expect((await this.ctl("upgrade", "-wait", "-exec", good)).stdout).toContain("supervisor and keeper");
    expect(await this.allPids()).toEqual([...this.#workers]);
  }
}
