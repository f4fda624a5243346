// Candidates that the running cranks know: services, generations, workers. A crank that does not answer in time has none.
import { connect } from "../../control/client.ts";
import type { HistoryEntry, WorkerInfo } from "../../control/messages.ts";
import { type CommonFlags, controlAddress, directoriesOf, type Environment } from "../crankctl/session.ts";
import { allServices, runningServices } from "../services.ts";
import type { Candidate, LiveKind, Wanted } from "./candidates.ts";

/** What no shell takes for anything else: files and answers may be another user's. */
const SAFE = /^[\w.%+,@:-]+$/;

/** More than anyone looks at. */
const MOST_SERVICES = 500;

/** Candidates of this kind. Rejects if the crank cannot be asked. */
export const liveCandidates = async (
  kind: LiveKind,
  { given }: Wanted,
  environment: Environment,
): Promise<readonly Candidate[]> => (await found(kind, given, environment)).filter(({ value }) => SAFE.test(value));

const found = async (
  kind: LiveKind,
  given: Wanted["given"],
  environment: Environment,
): Promise<readonly Candidate[]> => {
  const flags = commonFlags(given, environment);
  if (kind === "services") return await services(directoriesOf(flags, environment));
  const client = await connect(await controlAddress(flags, environment), () => {});
  switch (kind) {
    case "generations":
      return (await client.call("history", {})).map(ofGeneration).reverse();
    case "workers":
      return (await client.call("ps", {})).flatMap(ofWorker);
  }
};

const NAMES = ["name", "prefix", "ctl"] as const;

/** From the words, else from the environment, where an empty variable counts as unset. */
const commonFlags = (given: Wanted["given"], environment: Environment): CommonFlags =>
  Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = given[name] ?? environment[`CRANK_${name.toUpperCase()}`] ?? "";
      return value === "" ? [] : [[name, value]];
    }),
  );

const services = async (directories: readonly string[]): Promise<readonly Candidate[]> => {
  const listed = allServices("", directories);
  // Each is connected to, so that the sockets of cranks that were killed are left out.
  const running = listed.length > MOST_SERVICES ? listed : await runningServices(directories);
  return running.map(({ name, path }) => ({ value: name, about: path }));
};

const ofGeneration = ({ generation, current, command, cwd }: HistoryEntry): Candidate => ({
  value: String(generation),
  about: `${current ? "current, " : ""}${command.join(" ")} in ${cwd}`,
});

const ofWorker = ({ pid, id, state, generation }: WorkerInfo): readonly Candidate[] =>
  pid === null ? [] : [{ value: String(pid), about: `worker ${id}, ${state}, generation ${generation}` }];
