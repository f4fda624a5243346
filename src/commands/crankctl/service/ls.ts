// crankctl ls: all services, a line each.
import { type Client, connect } from "../../../control/client.ts";
import type { Status } from "../../../control/messages.ts";
import { UsageError } from "../../flags.ts";
import { allServices, type Service } from "../../services.ts";
import { escapeControls, safeJson, table } from "../../terminal.ts";
import { command } from "../command.ts";
import { directoriesOf } from "../session.ts";
import { measured } from "../workers/measured.ts";

/** How long a service may take to answer before it is listed without an answer, ms. */
const ANSWER_MS = 5000;

/** A service and its answer; `reason`: why there is none. */
type Listed = Service & ({ readonly status: Status } | { readonly reason: string });

export const ls = command({
  name: "ls",
  summary: "list the services and their states",
  usage: "[PREFIX] [flags]",
  about: [
    "Lists all services of the default directories or of -prefix, or those whose names begin with PREFIX: their state, generation, workers, connections and last failure. With -json, one document a line.",
  ],
  examples: ["crankctl ls", "crankctl ls web-"],
  flags: {},
  placement: "anywhere",
  findsServices: true,
  operands: "services",
  prepare: (_, operands, { flags, environment }) => {
    const [prefix = "", more] = operands;
    if (more !== undefined) throw new UsageError(`${JSON.stringify(more)}: unexpected argument`);
    const directories = directoriesOf(flags, environment);
    return async (session) => {
      const listed = await Promise.all(allServices(prefix, directories).map(ask));
      if (session.json) for (const service of listed) session.out.write(`${safeJson(documentOf(service))}\n`);
      else if (listed.length > 0) session.out.write(table(HEADER, listed.map(row)));
      else session.err.write(`There are no services in ${escapeControls(directories.join(" or "))}.\n`);
      return listed.some((service) => "reason" in service) ? 1 : 0;
    };
  },
});

const ask = async (service: Service): Promise<Listed> => {
  try {
    const client = await connect({ kind: "unix", path: service.path }, () => {}, ANSWER_MS);
    return { ...service, status: await statusOf(client) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { ...service, reason: error.message };
  }
};

const statusOf = async (client: Client): Promise<Status> => {
  try {
    return await measured(client, "status", {});
  } finally {
    client.close();
  }
};

const HEADER = ["NAME", "STATE", ">GEN", ">READY", ">CONNECTIONS", "LAST FAILURE"];

const row = (service: Listed): readonly string[] => {
  const name = escapeControls(service.name);
  if ("reason" in service) return [name, "no answer", "-", "-", "-", escapeControls(service.reason)];
  const { status } = service;
  const ready = status.workers.filter(({ state, generation }) => state === "ready" && generation === status.generation);
  return [
    name,
    stateOf(status),
    String(status.generation ?? "-"),
    `${ready.length} of ${status.instances}`,
    String(connectionsOf(status) ?? "-"),
    escapeControls(status.lastFailure ?? ""),
  ];
};

const stateOf = ({ phase, rollout, generation }: Status): string => {
  if (phase === "stopping") return "stopping";
  if (rollout !== null) return "rolling out";
  return generation === null ? "empty" : "running";
};

/** Those that workers hold; null: not measured. */
const connectionsOf = ({ sockets }: Status): number | null => {
  const known = sockets.flatMap(({ connections }) => connections ?? []);
  return known.length === 0 ? null : known.reduce((sum, connections) => sum + connections, 0);
};

const documentOf = (service: Listed) =>
  "reason" in service
    ? { name: service.name, path: service.path, error: service.reason }
    : { path: service.path, ...service.status, name: service.name };
