// The output of the demo: one line per deploy, then the totals, and the failures if there are any.
import type { Counts } from "./clients.ts";
import { type Deploy, harmed, type Story } from "./story.ts";

const COLUMNS = ["deploy", "ended", "took", "answered", "messages", "moved", "refused", "reset", "cut"] as const;
const WIDTHS = [22, 13, 7, 9, 9, 7, 8, 6, 5] as const;

const row = (cells: readonly (string | number)[]): string =>
  cells
    .map((cell, index) => {
      const text = typeof cell === "number" ? cell.toLocaleString("en") : cell;
      const width = WIDTHS[index] ?? 0;
      return index < 2 ? text.padEnd(width) : text.padStart(width);
    })
    .join(" ");

/** Prints an introduction, and the headers of the columns. */
export const writeHead = (what: {
  readonly stays: number;
  readonly anew: number;
  readonly instances: number;
}): void => {
  console.log(`crank runs a WebSocket server in a pool of ${what.instances}. ${what.stays} clients stay connected, ${what.anew} open a
new connection for every request. It is deployed five times, once broken on purpose, and crank's supervisor is killed twice.
For each deploy: answered requests, answered messages, and clients that moved to a new worker until the next deploy;
and connections that were refused, reset, or cut.
`);
  console.log(row(COLUMNS));
};

/** One line for a deploy and the kills during it. */
export const writeDeploy = (deploy: Deploy): void => {
  const { answered, messages, moved, refused, reset, cut } = deploy.counts;
  const took = `${((deploy.endedAt - deploy.startedAt) / 1000).toFixed(1)} s`;
  const name = `${deploy.number}  ${deploy.label}${deploy.isBroken ? ", broken" : ""}`;
  const ended = deploy.status === 0 ? "complete" : "rolled back";
  console.log(row([name, ended, took, answered, messages, moved, refused, reset, cut]));
  if (deploy.kills > 0) console.log("   (the supervisor was killed in the middle of it)");
};

export type End = {
  readonly counts: Counts;
  readonly problems: readonly string[];
  readonly kills: number;
  /** The keeper's resident memory, kB. */
  readonly memory: number;
  readonly picture: string;
};

export const writeEnd = ({ counts, problems, kills, memory, picture }: End): void => {
  const number = (value: number): string => value.toLocaleString("en");
  console.log(`
In all: ${number(counts.answered)} requests and ${number(counts.messages)} messages answered, ${number(counts.moved)} moves to a new worker;
${counts.refused} refused, ${counts.reset} reset, ${counts.cut} cut. Supervisors killed: ${kills}. The process that lasts: ${(memory / 1024).toFixed(1)} MB.
The picture: ${picture}`);
  for (const problem of problems) console.log(`  ${problem}`);
};

/** All failures, as sentences; empty is good. */
export const verdictOf = (story: Story, counts: Counts): readonly string[] => [
  ...(harmed(counts) > 0 ? [`${harmed(counts)} connections were refused, reset or cut`] : []),
  ...(counts.answered === 0 || counts.messages === 0 ? ["nothing was answered"] : []),
  ...(story.kills.length === 2 ? [] : [`the supervisor was killed ${story.kills.length} times, not twice`]),
  ...story.deploys.flatMap((deploy) => {
    if (deploy.status === (deploy.isBroken ? 1 : 0)) return [];
    return [`deploy ${deploy.number} ended with status ${deploy.status}: ${deploy.words}`];
  }),
];
