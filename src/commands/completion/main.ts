// `crankctl __complete PROGRAM WORD...`: the candidates for the last word, for the scripts of `crankctl completion`. It prints no
// errors, and ends in time even if a crank hangs.
import { host } from "#host";
import type { Environment } from "../crankctl/session.ts";
import type { Output } from "../output.ts";
import { escapeControls } from "../terminal.ts";
import { type Candidate, type LiveKind, type Wanted, wanted } from "./candidates.ts";
import { liveCandidates } from "./live.ts";

/** The word by which crankctl is asked for candidates. */
export const COMPLETE = "__complete";

/** How long cranks are waited for, ms: with its own start, crankctl answers within 100. */
const WAIT_MS = 60;
const MOST_CANDIDATES = 1000;
const MOST_CHARACTERS = 60;

/** Prints what the shell completes itself, or `words`, and then the candidates, a line each. */
export const complete = async (words: readonly string[], environment: Environment, out: Output): Promise<number> => {
  const asked = wanted(words);
  if (asked === null) return 0;
  const { from } = asked;
  switch (from.kind) {
    case "words":
      out.write(listed("words", asked, from.candidates));
      return 0;
    case "files":
    case "directories":
    case "command":
    case "users":
      out.write(listed(from.kind, asked, []));
      return 0;
    default:
      out.write(listed("words", asked, await inTime(from.kind, asked, environment)));
      return 0;
  }
};

/** What the cranks answer in time; nothing if they do not, or if they refuse. */
const inTime = (kind: LiveKind, asked: Wanted, environment: Environment): Promise<readonly Candidate[]> =>
  new Promise((resolve) => {
    host.clock.after(WAIT_MS, () => resolve([]));
    liveCandidates(kind, asked, environment).then(resolve, () => resolve([]));
  });

const listed = (kind: string, { lead, typed }: Wanted, candidates: readonly Candidate[]): string => {
  const matching = candidates.filter(({ value }) => value.startsWith(typed)).slice(0, MOST_CANDIDATES);
  return [kind, ...matching.map(({ value, about }) => line(`${lead}${value}`, about))]
    .map((text) => `${text}\n`)
    .join("");
};

const line = (value: string, about: string): string => {
  const shown = escapeControls(about);
  const short = shown.length > MOST_CHARACTERS ? `${shown.slice(0, MOST_CHARACTERS - 1)}…` : shown;
  return short === "" ? value : `${value}\t${short}`;
};
