// Two hundred upgrades in place with short and long connections, of the supervisor alone and of the keeper too, every tenth
// during a deploy; and how long a client of the control socket waits.
import { createConnection, type Socket } from "node:net";
import { compiled } from "../../test/e2e/harness/apps.ts";
import { changeKeeper, install, pointTo } from "../../test/e2e/harness/installation.ts";
import { Load } from "../../test/e2e/harness/load.ts";
import { Upgraded } from "../../test/e2e/harness/upgraded.ts";
import { waitFor } from "../../test/e2e/harness/wait.ts";
import type { Figure, Measurement } from "../measure.ts";

const UPGRADES = 200;
const DEPLOY_EVERY = 10;
const ANEW = 50;
const STAYS = 500;
/** Pause between two requests of the measuring client. */
const PAUSE_MS = 1;

const server = (version: number): readonly string[] => [compiled("worker"), "-drain", "500", `v${version}`];

/** A client that sends requests continuously: how long it waited for each answer. */
class Asking {
  readonly #socket: Socket;
  #askedAt = 0;
  #longest = 0;

  constructor(path: string) {
    this.#socket = createConnection(path);
    let rest = 0;
    this.#socket.on("data", (bytes: Buffer) => {
      rest += bytes.filter((byte) => byte === 10).length;
      if (rest === 0) return;
      rest = 0;
      this.#longest = Math.max(this.#longest, performance.now() - this.#askedAt);
      setTimeout(() => this.#ask(), PAUSE_MS);
    });
    this.#ask();
  }

  #ask(): void {
    this.#askedAt = performance.now();
    this.#socket.write('{"jsonrpc":"2.0","id":1,"method":"history"}\n');
  }

  /** The longest wait since the last call, ms. */
  takeLongest(): number {
    const longest = Math.max(this.#longest, 0);
    this.#longest = 0;
    return longest;
  }

  end(): void {
    this.#socket.destroy();
  }
}

const measure = async (): Promise<readonly Figure[]> => {
  const service = new Upgraded();
  await service.open();
  const waits = { supervisor: [] as number[], keeper: [] as number[] };
  const took = { supervisor: [] as number[], keeper: [] as number[] };
  try {
    const crank = await service.start("-respawn");
    const other = install(service.path("two"));
    changeKeeper(other);
    await service.deploy("-instances", "2", "--", ...server(0));
    const load = new Load({ port: service.port, anew: ANEW, pauseMs: 20, stays: STAYS, talkMs: 1000 });
    await waitFor("the clients that stay", () => load.staying === STAYS);
    const asking = new Asking(service.path("web.ctl"));
    const commander = await service.control();
    const upgrade = async (id: number): Promise<void> => {
      commander.say(`{"jsonrpc":"2.0","id":${id},"method":"upgrade","params":{"wait":true}}\n`);
      const answer = (await commander.hearsLines(id + 1))[id] ?? "";
      if (!answer.includes('"done":{')) throw new Error(`an upgrade failed: ${answer}`);
    };
    await upgrade(0);
    const descriptors = service.descriptors().length;
    for (let count = 1; count <= UPGRADES; count++) {
      const kind = count % 2 === 0 ? "keeper" : "supervisor";
      if (kind === "keeper") pointTo(service.link, count % 4 === 0 ? service.installed : other);
      const deploy = count % DEPLOY_EVERY === 0 ? service.run("--", ...server(count)) : null;
      if (deploy) await Bun.sleep(Math.random() * 100);
      asking.takeLongest();
      const begun = performance.now();
      await upgrade(count);
      took[kind].push(performance.now() - begun);
      await Bun.sleep(2 * PAUSE_MS);
      waits[kind].push(asking.takeLongest());
      const deployed = await deploy;
      if (deployed && deployed.status !== 0) throw new Error(`a deploy failed: ${deployed.stderr}`);
    }
    await service.settled(2);
    const more = await waitFor("the descriptors of before", () => {
      const now = service.descriptors().length - descriptors;
      return now <= 0 ? { now } : null;
    }).catch(() => ({ now: service.descriptors().length - descriptors }));
    const zombies = service.zombies().length;
    const { pid, upgrades } = await service.info();
    const { refused, reset, cut } = await load.stop();
    asking.end();
    const each = `${UPGRADES} upgrades`;
    const none = { unit: "count", target: { holds: "worst", atMost: 0 } } as const;
    return [
      { name: `${each}: connections refused`, samples: [refused], ...none },
      { name: `${each}: connections reset or cut`, samples: [reset + cut], ...none },
      {
        name: `${each}: other pids, upgrades not counted`,
        ...none,
        samples: [Number(pid !== crank.pid), Math.abs(upgrades - UPGRADES - 1)],
      },
      { name: `${each}: descriptors more`, samples: [Math.max(0, more.now)], ...none },
      { name: `${each}: zombies`, samples: [zombies], ...none },
      figure("upgrade of the supervisor: the control socket does not answer", waits.supervisor, 80),
      figure("upgrade of both: the control socket does not answer", waits.keeper, 80),
      figure("upgrade of the supervisor: from the request to the answer", took.supervisor, null),
      figure("upgrade of both: from the request to the answer", took.keeper, null),
    ];
  } finally {
    await service.clean();
  }
};

const figure = (name: string, samples: readonly number[], atMost: number | null): Figure => ({
  ...{ name, unit: "ms", samples },
  target: atMost === null ? null : { holds: "median", atMost },
});

export const upgrades: Measurement = { name: "upgrades", measure };
