// Which processes hold an address that crank wants: found by the inodes of the sockets bound there, and all
// descriptors.
import { printable } from "../../control/printable.ts";
import type { Address } from "../os/addresses.ts";
import type { BoundSocket, ProcessFacts, ProcessTable } from "../os/processes.ts";
import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "../os/sockaddr.ts";

const MOST_SHOWN = 8;
const MOST_CHARACTERS = 80;
const UNIX_TYPES = { stream: SOCK_STREAM, seqpacket: SOCK_SEQPACKET, datagram: SOCK_DGRAM } as const;

/**
 * The processes that hold it, with their commands and the service if one is a worker, as part of a sentence; null: no
 * such socket is bound here.
 */
export const describeHolders = async (processes: ProcessTable, address: Address): Promise<string | null> => {
  const wanted = new Set([...processes.sockets()].flatMap(([inode, at]) => (isInTheWay(address, at) ? [inode] : [])));
  if (wanted.size === 0) return null;
  const holders: ProcessFacts[] = [];
  let hidden = 0;
  for (const pid of processes.list()) {
    const open = processes.descriptors(pid);
    if (open.kind === "hidden") hidden += open.reason === "permission denied" ? 1 : 0;
    const holds =
      open.kind === "shown" && open.descriptors.some(({ target }) => wanted.has(Number(SOCKET.exec(target)?.[1])));
    const facts = holds ? processes.facts(pid) : null;
    if (facts) holders.push(facts);
  }
  if (holders.length === 0)
    return hidden === 0 ? null : "a process of another user, which crank's user may not inspect: run ss -lnptu as root";
  const shown: string[] = [];
  for (const facts of holders.slice(0, MOST_SHOWN)) shown.push(await describe(processes, facts));
  const more = holders.length > shown.length ? ` and ${holders.length - shown.length} more` : "";
  return `${shown.length === 1 ? "process" : "processes"} ${shown.join(", ")}${more}`;
};
const SOCKET = /^socket:\[(\d+)\]$/;

/**
 * `12 (python3 server.py; worker 3 of crank's service web, user 33)`. The environment is not trusted for anything else.
 */
const describe = async (processes: ProcessTable, { pid, uids }: ProcessFacts): Promise<string> => {
  const command = printable((await processes.command(pid)).slice(0, MOST_CHARACTERS));
  const environment = await processes.environment(pid);
  const [worker, name] = [environment?.get("CRANK_WORKER"), environment?.get("CRANK_NAME")];
  const service = name === undefined ? "a service of crank" : `crank's service ${name}`;
  const owner = worker === undefined ? "" : `; worker ${worker} of ${service}, user ${uids[1] ?? "unknown"}`;
  return `${pid} (${command === "" ? "its command is not shown" : command}${printable(owner.slice(0, MOST_CHARACTERS))})`;
};

/** Whether a socket is bound where this address would be. A host name, or no host, conflicts with any host. */
const isInTheWay = (address: Address, { type, at }: BoundSocket): boolean => {
  if (address.kind === "unix") return "path" in at && at.path === address.path && type === UNIX_TYPES[address.type];
  if (address.kind !== "internet" || !("port" in at) || at.port !== address.port) return false;
  if (type !== (address.transport === "tcp" ? SOCK_STREAM : SOCK_DGRAM)) return false;
  return isAny(address.host) || isAny(at.host) || at.host === address.host;
};

const isAny = (host: string): boolean => host === "0.0.0.0" || host === "::" || !/^[\d.]+$|:/.test(host);
