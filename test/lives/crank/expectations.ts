// What must be true of a simulated crank from outside: of its record at any time, and of all of it when nothing more happens.

import { HISTORY_LENGTH } from "../../../src/core/model/spec.ts";
import { DEFAULTS } from "../../../src/spec/defaults.ts";
import { parseRecord } from "../../../src/supervisor/adoption/record.ts";

type AtRest = {
  // biome-ignore lint/suspicious/noExplicitAny: a look at the supervisor's journal, from outside
  readonly journalled: (key: string) => any;
  /** Requests without an answer. */
  readonly unanswered: readonly string[];
  /** The pids of the workers that run, and how many workers the keeper has. */
  readonly running: readonly number[];
  readonly known: number;
  readonly respawns: boolean;
  /** What is wrong with the stored descriptors; null: nothing. */
  readonly lost: string | null;
};

/**
 * With no more requests and failures: rollouts have ended, requests are answered, and all wanted workers run. What is
 * wrong; null: nothing.
 */
export const restProblem = ({ journalled, unanswered, running, known, respawns, lost }: AtRest): string | null => {
  const service = journalled("service");
  // If a rollback restores nothing, the workers may be of both generations.
  const isMixed = service?.rollout?.rollingBack?.told && !service.manner.restores;
  if (service?.rollout && !isMixed) return "a rollout did not end";
  if (service?.pendingRecord) return "a record did not end";
  if (unanswered.length > 0) return `without an answer: ${unanswered.join(", ")}`;
  const wanted = journalled(`generation/${service?.current}`)?.instances ?? 0;
  if (service?.phase.kind === "running" && respawns && running.length !== wanted)
    return `${running.length} of ${wanted} workers are there`;
  if (service?.phase.kind === "running" && !journalled("serviceManager")?.told.isReady)
    return "the service manager was never told that crank is ready";
  if (lost !== null) return lost;
  if (running.length !== known) return `the keeper has ${known} workers, and ${running.length} live: ${running}`;
  return null;
};

/** The record can be read completely: each good deploy once, in order, and not too many. */
export const recordProblem = (text: string): string | null => {
  const history: readonly { readonly generation: number }[] = JSON.parse(text).crank?.history ?? [];
  const numbers = history.map(({ generation }) => generation);
  const isOrdered = numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));
  if (!isOrdered || numbers.length > HISTORY_LENGTH) return `the record has the runs ${numbers.join(", ")}`;
  const reading = parseRecord(text, DEFAULTS, "/");
  if (reading.kind !== "history" || reading.leftOut.length > 0 || reading.history.length < numbers.length)
    return "the record cannot be read";
  return null;
};
