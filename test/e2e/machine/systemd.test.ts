// The units of contrib/systemd under a real systemd: started, deployed to, restarted, reloaded, killed and stopped under load.
import { afterEach, beforeEach, describe, expect } from "bun:test";
import { needing } from "../../needs.ts";
import { compiled } from "../harness/apps.ts";
import { Bench, CRANKCTL } from "../harness/bench.ts";
import { Load } from "../harness/load.ts";
import { freePorts } from "../harness/ports.ts";
import { waitFor } from "../harness/wait.ts";
import { Machine, machines } from "./machine.ts";

const withMachines = needing(machines());

let bench: Bench;
let running: Machine | null = null;
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await running?.end();
  running = null;
  await bench.clean();
});

const PREFIXES: Readonly<Record<string, string>> = {
  plain: "/var/lib/crank",
  activated: "/var/lib/crank",
  hardened: "/var/lib/web",
};

describe.each(Object.keys(PREFIXES))("the unit in %s", (folder) => {
  withMachines.test("starts, keeps workers and clients through restarts and kills, reloads, and stops", async () => {
    const [port = 0] = await freePorts(1);
    const machine = await Machine.with(bench, folder, (unit) =>
      unit
        .replaceAll(/(-bind |ListenStream=):?80(80)?$/gm, `$1127.0.0.1:${port}`)
        .replace("-bind :8080 ", `-bind 127.0.0.1:${port} `)
        .replace("User=web", "User=nobody"),
    );
    running = machine;
    const ctl = (...args: string[]) =>
      machine.run(CRANKCTL, "-prefix", PREFIXES[folder] ?? "", "-name", "web", ...args);

    expect(await machine.run("systemctl", "start", "web")).toMatchObject({ status: 0 });
    expect(await machine.show("web", "StatusText")).toContain("Waiting for a first deploy");
    expect(await ctl("run", "-wait", "--", compiled("worker"), "v1")).toMatchObject({ status: 0 });

    const load = new Load({ port, anew: 10, pauseMs: 5, stays: 20, talkMs: 50 });
    await waitFor("the staying clients", () => load.staying === 20);
    const goesOn = async (): Promise<void> => {
      const { answered } = load.counts;
      await waitFor("more answers", () => load.counts.answered > answered + 20);
    };

    const workers = async () => (await ctl("ps", "-ready")).stdout;
    const before = await workers();
    expect(before).toContain("READY");
    const first = await machine.show("web", "MainPID");
    expect(await machine.run("systemctl", "restart", "web")).toMatchObject({ status: 0 });
    expect(await machine.show("web", "StatusText")).toBe("Generation 1: 1 of 1 worker ready");
    expect(await machine.show("web", "MainPID")).not.toBe(first);
    expect(await workers()).toBe(before);
    await goesOn();

    const second = await machine.show("web", "MainPID");
    await machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "web");
    await waitFor("the next crank", async () => {
      const pid = await machine.show("web", "MainPID");
      return pid !== second && pid !== "0" && (await machine.show("web", "ActiveState")) === "active";
    });
    expect(await workers()).toBe(before);
    await goesOn();

    expect(await machine.run("systemctl", "reload", "web")).toMatchObject({ status: 0 });
    await goesOn();
    expect(await load.stop()).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });

    expect((await machine.run("journalctl", "-u", "web", "-p", "warning", "-o", "cat")).stdout).not.toContain(
      "Listening on",
    );
    expect((await machine.run("journalctl", "-u", "web", "-p", "info", "-o", "cat")).stdout).toMatch(
      /^\d{4}.*Listening on/m,
    );

    expect(await machine.run("systemctl", "stop", "web")).toMatchObject({ status: 0 });
    expect((await machine.run("systemctl", "is-failed", "web")).stdout).toBe("inactive\n");
  });
});

needing(machines()).test(
  "a start and a stop may take as long as the workers may, whatever the unit's timeouts are",
  async () => {
    const [port = 0] = await freePorts(1);
    const machine = await Machine.with(bench, "plain", (unit) =>
      unit.replace(" -bind :8080 ", ` -bind 127.0.0.1:${port} `).replace("WatchdogSec=60", "TimeoutSec=3"),
    );
    running = machine;
    const slow = `trap 'sleep 4; exit 0' TERM; sleep 4; printf READY=1 >&"$NOTIFY_FD"; while :; do sleep 0.1; done`;
    expect(await machine.run("systemctl", "start", "web")).toMatchObject({ status: 0 });
    const run = ["run", "-wait", "-start", "60", "-stop", "60", "--", "sh", "-c", slow];
    const ctl = [CRANKCTL, "-prefix", "/var/lib/crank", "-name", "web"];
    expect(await machine.run(...ctl, ...run)).toMatchObject({ status: 0 });
    expect(await machine.run("systemctl", "stop", "web")).toMatchObject({ status: 0 });
    expect((await machine.run("systemctl", "is-failed", "web")).stdout).toBe("inactive\n");
    expect(await machine.run("systemctl", "start", "web")).toMatchObject({ status: 0 });
    expect(await machine.show("web", "StatusText")).toBe("Generation 2: 1 of 1 worker ready");
  },
);
