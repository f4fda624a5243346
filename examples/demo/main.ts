// `make demo`: a WebSocket server in a pool of three under crank, 500 long-lived clients and 20 that reconnect continuously,
// five deploys, one of them broken on purpose, and two kills of the supervisor. It prints what the clients noticed,
// draws build/demo.svg, and ends with status 1 if a connection was refused or reset.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Clients, type Counts } from "./clients.ts";
import { drawPicture } from "./picture/picture.ts";
import { verdictOf, writeDeploy, writeEnd, writeHead } from "./report.ts";
import { Service } from "./service.ts";
import { difference, Story } from "./story.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const SERVER = join(ROOT, "examples/websocket-server/server.ts");
const PICTURE = join(ROOT, "build/demo.svg");

const STAYS = 500;
const ANEW = 20;
const INSTANCES = 3;
/** The time over which a stopping worker asks its clients to reconnect, ms. */
const DRAIN_MS = 3_000;
/** Pause between two deploys, ms; skipped when the demo has already taken long on a busy machine. */
const PAUSE_MS = 3_000;
const HURRY_AFTER_MS = 35_000;
const LIMIT_MS = 57_000;
const SAMPLE_MS = 100;

type Plan = { readonly version: number; readonly isBroken: boolean; readonly kill: boolean };
const PLAN: readonly Plan[] = [
  { version: 2, isBroken: false, kill: false },
  { version: 3, isBroken: false, kill: true },
  { version: 4, isBroken: true, kill: false },
  { version: 5, isBroken: false, kill: true },
  { version: 6, isBroken: false, kill: false },
];

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const story = new Story();
const service = new Service();

const runFlags = ({ version, isBroken }: Plan): readonly string[] => [
  ...["-env", `VERSION=${version}`],
  // The broken one reads a file that does not exist, so it throws before it is ready.
  ...(isBroken ? ["-env", "SETTINGS=/nonexistent/settings.json"] : []),
];

/** Deploys, kills the supervisor during the deploy if planned, and then waits for a while. */
const deploy = async (plan: Plan, number: number, clients: Clients): Promise<void> => {
  const startedAt = Date.now();
  const before: Counts = { ...clients.counts };
  const firstReady = story.next((entry) => entry.kind === "workerReady");
  const answer = service.ctl("run", "-wait", ...runFlags(plan));
  if (plan.kill) {
    await Promise.race([firstReady, answer]);
    story.kills.push({ pid: await service.killSupervisor(), at: Date.now() });
  }
  const { status, stdout, stderr } = await answer;
  const endedAt = Date.now();
  if (endedAt - story.startedAt < HURRY_AFTER_MS) await pause(PAUSE_MS);
  const deployed = {
    number,
    label: `version ${plan.version}`,
    isBroken: plan.isBroken,
    generation: story.generation,
    startedAt,
    endedAt,
    status,
    words: (status === 0 ? stdout : stdout + stderr).trim(),
    kills: plan.kill ? 1 : 0,
    counts: difference(clients.counts, before),
  };
  story.deploys.push(deployed);
  writeDeploy(deployed);
};

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await pause(20);
};

const play = async (): Promise<Clients> => {
  const port = await service.start({ event: (entry) => story.event(entry), line: (line) => story.line(line) });
  const flags = ["-instances", String(INSTANCES), "-min-ready", "0.3", "-stop", "30", "-env", `DRAIN_MS=${DRAIN_MS}`];
  const started = await service.ctl("run", "-wait", ...flags, "-env", "VERSION=1", "--", process.execPath, SERVER);
  if (started.status !== 0) throw new Error(`the server did not start: ${started.stdout}${started.stderr}`);

  const clients = new Clients({ port, stays: STAYS, talkMs: 1_000, anew: ANEW, pauseMs: 40 });
  const sampler = setInterval(() => {
    story.samples.push({ at: Date.now(), counts: { ...clients.counts }, staying: clients.staying });
  }, SAMPLE_MS);
  await until(() => clients.staying === STAYS);
  writeHead({ stays: STAYS, anew: ANEW, instances: INSTANCES });
  for (const [index, plan] of PLAN.entries()) await deploy(plan, index + 1, clients);
  await until(() => clients.staying === STAYS && drainsAreOver());
  clearInterval(sampler);
  // The picture ends here; the disconnects of the clients are not part of it.
  story.endedAt = Date.now();
  await clients.stop();
  story.samples.push({ at: story.endedAt, counts: { ...clients.counts }, staying: clients.staying });
  return clients;
};

const drainsAreOver = (): boolean =>
  [...story.workers.values()].every((worker) => worker.stoppingAt === null || worker.goneAt !== null);

let giveUp: ReturnType<typeof setTimeout> | undefined;
const tooLate = new Promise<never>((_, failed) => {
  giveUp = setTimeout(() => failed(new Error(`this took more than ${LIMIT_MS / 1000} s`)), LIMIT_MS);
});

try {
  const clients = await Promise.race([play(), tooLate]);
  const memory = service.keeperMemory();
  await Promise.race([service.ctl("shutdown", "-wait"), tooLate]);
  mkdirSync(join(ROOT, "build"), { recursive: true });
  writeFileSync(PICTURE, drawPicture(story));
  writeEnd({ counts: clients.counts, problems: clients.problems, kills: story.kills.length, memory, picture: PICTURE });
  const complaints = verdictOf(story, clients.counts);
  for (const complaint of complaints) console.log(`FAILED: ${complaint}`);
  process.exitCode = complaints.length === 0 ? 0 : 1;
} catch (error) {
  console.log(`FAILED: ${error instanceof Error ? error.message : error}\n${service.log}`);
  process.exitCode = 1;
} finally {
  clearTimeout(giveUp);
  await service.clean();
}
// Clients that still wait would keep the process running until their timeouts.
process.exit();
