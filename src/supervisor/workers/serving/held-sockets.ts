// Which of the service's sockets a worker's processes hold, and where they listen beside them. Examined when a worker
// does not hold its sockets as it was given them, or was not ready in time.
import { printable } from "../../../control/printable.ts";
import type { SocketFinding, Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import { isFirst } from "../../events/once-per-generation.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import { formatAddress } from "../../os/addresses.ts";
import type { OpenSockets, ProcessTree } from "../../os/process-tree.ts";
import type { BoundSocket } from "../../os/processes.ts";
import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "../../os/sockaddr.ts";
import { type Listener, listenersOf } from "../../sockets/listeners.ts";
import type { Store } from "../../state/store.ts";
import { isNamedBy, nameOfWorker } from "../notify/ownership.ts";

/** Limits for one worker: its processes, and the descriptors of all of them together. */
const MOST_PROCESSES = 512;
const MOST_DESCRIPTORS = 20_000;
/** Time limit of the examination for one event, ms, because the keeper waits for it. */
const MOST_MS = 2000;
/** How many addresses are reported. */
const MOST_ADDRESSES = 8;

type Seen = Pick<OpenSockets, "inodes"> & { readonly pid: number };
/** `isWhole` false: there may be more that is hidden. */
export type Tree = { readonly processes: readonly Seen[]; readonly isWhole: boolean };

/**
 * What is wrong with the sockets of a ready worker; null: nothing, nothing visible, or nothing that matters to its
 * program.
 */
export const judge = async (store: Store, worker: Worker, sender: number | null): Promise<SocketFinding | null> => {
  const listeners = listenersOf(store);
  const processes = store.platform.processTree;
  const tree = await lookAt(store, worker, { processes, listeners });
  if (tree === null) return null;
  const missing = notHeld(tree, listeners);
  if (missing.length > 0 && !tree.isWhole) {
    sayUnseen(store, worker, missing);
    return null;
  }
  const finding =
    missing.length > 0
      ? findingOf(tree, listeners, elsewhere(processes, tree.processes, listeners))
      : judgeSender(processes, { tree, listeners, sender });
  if (finding === null || store.frontEnd.unheldSockets !== "warn") return finding;
  const { id, pid } = worker;
  recordEvent(store, { kind: "socketsNotHeld", worker: id, pid, sockets: finding }, store.platform.monotonicNow());
  return null;
};

/** What is unusual about the sockets of a worker that was not ready in time; null: nothing visible. */
export const explain = async (store: Store, worker: Worker): Promise<SocketFinding | null> => {
  const listeners = listenersOf(store);
  if (worker.pid === null || listeners.length === 0) return null;
  const processes = store.platform.processTree;
  const tree = await lookAt(store, worker, { processes, listeners, all: true });
  if (tree === null || (!tree.isWhole && notHeld(tree, listeners).length > 0)) return null;
  const others = elsewhere(processes, tree.processes, listeners);
  const finding = findingOf(tree, listeners, others);
  if (finding.missing.length > 0) return finding;
  const [other] = others;
  if (other === undefined) return null;
  const holder = tree.processes.find((seen) => holdsSome(seen, listeners));
  const stranger = others.every(({ seen }) => !holdsSome(seen, listeners)) ? other.seen : undefined;
  return holder && stranger ? { ...finding, apart: apart(processes, holder, stranger) } : finding;
};

/**
 * The living process that reported readiness listens elsewhere and has none of the sockets: another process only kept
 * them.
 */
const judgeSender = (
  processes: ProcessTree,
  found: { readonly tree: Tree; readonly listeners: readonly Listener[]; readonly sender: number | null },
): SocketFinding | null => {
  const { tree, listeners, sender } = found;
  const open = sender === null ? null : processes.openSockets(sender, MOST_DESCRIPTORS);
  if (sender === null || open === null || !open.isWhole || holdsSome(open, listeners)) return null;
  const speaker = { pid: sender, ...open };
  const others = elsewhere(processes, [speaker], listeners);
  const holder = tree.processes.find((seen) => holdsSome(seen, listeners));
  if (others.length === 0 || !holder) return null;
  return { ...findingOf(tree, listeners, others), apart: apart(processes, holder, speaker) };
};

const apart = (processes: ProcessTree, holder: Seen, listener: Seen): NonNullable<SocketFinding["apart"]> => {
  const process = ({ pid }: Seen): string => `${pid} (${printable(processes.name(pid)) || "?"})`;
  return { holder: process(holder), listener: process(listener) };
};

const findingOf = (tree: Tree, listeners: readonly Listener[], others: readonly Elsewhere[]): SocketFinding => {
  const missing = notHeld(tree, listeners);
  return {
    missing: missing.map(named),
    held: listeners.length - missing.length,
    listens: addressesOf(others),
  };
};

/** `tcp://:8080 (descriptor 3)` */
export const named = ({ address, fd }: Listener): string => `${address} (descriptor ${fd})`;

/** Each address once, up to a limit. */
export const addressesOf = (others: readonly Elsewhere[]): readonly string[] => {
  const addresses = [...new Set(others.map(({ address }) => address))];
  const listens = addresses.slice(0, MOST_ADDRESSES);
  return addresses.length > listens.length ? [...listens, "…"] : listens;
};

const holdsSome = ({ inodes }: Pick<Seen, "inodes">, listeners: readonly Listener[]): boolean =>
  listeners.some(({ inode }) => inodes.has(inode));

const notHeld = ({ processes }: Tree, listeners: readonly Listener[]): readonly Listener[] =>
  listeners.filter(({ inode }) => !processes.some(({ inodes }) => inodes.has(inode)));

type Question = { readonly processes: ProcessTree; readonly listeners: readonly Listener[]; readonly all?: boolean };

/**
 * Examines a worker's processes from its main process down, then those that were reparented to the keeper, until all
 * sockets are found; with `all`, every process. null: the main process has ended, which is reported separately.
 */
export const lookAt = async (
  store: Store,
  worker: Worker,
  { processes, listeners, all = false }: Question,
): Promise<Tree | null> => {
  const { platform, facts } = store;
  if (worker.pid === null) return null;
  const until = platform.monotonicNow() + MOST_MS;
  const walk = new Walk(processes, () => platform.monotonicNow() > until);
  const isDone = (): boolean => !all && notHeld(walk, listeners).length === 0;
  if (!walk.down(worker.pid, isDone)) return null;
  const table = platform.processes;
  const name = nameOfWorker(store, worker);
  const known = new Set([platform.pid, ...allWorkers(store.core.workers).map(({ pid }) => pid)]);
  // Orphans of an adopted worker are reparented to the parent of that worker.
  const reapers = new Set([facts.pid, platform.lineage(worker.pid)?.parent ?? facts.pid]);
  for (const orphan of [...reapers].flatMap((reaper) => processes.children(reaper))) {
    if (isDone()) break;
    if (known.has(orphan)) continue;
    const environment = await table.environment(orphan);
    if (environment === null) walk.miss(orphan);
    else if (isNamedBy(environment, name)) walk.down(orphan, isDone);
  }
  return walk;
};

/** Collects processes and their open sockets, within limits. */
class Walk implements Tree {
  readonly #processes: ProcessTree;
  readonly #isLate: () => boolean;
  readonly processes: Seen[] = [];
  isWhole = true;
  #descriptors = MOST_DESCRIPTORS;

  constructor(processes: ProcessTree, isLate: () => boolean) {
    this.#processes = processes;
    this.#isLate = isLate;
  }

  /** Visits this process and its descendants, until `isDone`. False: there is no such process. */
  down(from: number, isDone: () => boolean): boolean {
    const queue = [from];
    for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
      if (this.processes.length >= MOST_PROCESSES || this.#descriptors <= 0 || this.#isLate()) {
        this.isWhole = false;
        return true;
      }
      const open = this.#processes.openSockets(pid, this.#descriptors);
      if (open === null && pid === from) return false;
      if (open === null) continue;
      this.#descriptors -= open.looked;
      if (!open.isWhole) this.isWhole = false;
      this.processes.push({ pid, ...open });
      if (isDone()) return true;
      queue.push(...this.#processes.children(pid));
    }
    return true;
  }

  /** A process that may belong here was skipped; if it is hidden, the result is not complete. */
  miss(pid: number): void {
    if (this.#processes.openSockets(pid, 0)?.isWhole === false) this.isWhole = false;
  }
}

export type Elsewhere = {
  readonly seen: Seen;
  readonly inode: number;
  readonly bound: BoundSocket;
  readonly address: string;
};

/**
 * Where processes listen beside the service's sockets: internet streams first, then unix ones. Datagram sockets only if
 * the service has some, because every client of a name server has one.
 */
export const elsewhere = (
  processes: ProcessTree,
  seen: readonly Seen[],
  listeners: readonly Listener[],
): readonly Elsewhere[] => {
  const own = new Set(listeners.map(({ inode }) => inode));
  const tables = new Map<string, ReadonlyMap<number, BoundSocket>>();
  const hasDatagrams = listeners.some(({ address }) => /^(udp|unixgram)/.test(address));
  const found: (Elsewhere & { readonly rank: number })[] = [];
  for (const one of seen) {
    const network = processes.networkOf(one.pid);
    const table = tables.get(network) ?? processes.boundSockets(one.pid);
    tables.set(network, table);
    for (const inode of one.inodes) {
      const bound = own.has(inode) ? undefined : table.get(inode);
      if (!bound || (bound.type === SOCK_DGRAM && !hasDatagrams)) continue;
      found.push({ seen: one, inode, bound, address: shown(bound), rank: "path" in bound.at ? 1 : 0 });
    }
  }
  return found.sort((a, b) => a.rank - b.rank);
};

/**
 * `0.0.0.0:9292` for a TCP socket, as ss(8) shows it; others with their scheme. A path is text of the worker, so it is
 * escaped.
 */
const shown = ({ type, at }: BoundSocket): string => {
  if ("path" in at) {
    const kind = type === SOCK_STREAM ? "stream" : type === SOCK_SEQPACKET ? "seqpacket" : "datagram";
    return printable(formatAddress({ kind: "unix", type: kind, path: at.path }));
  }
  const address = `${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`;
  return type === SOCK_DGRAM ? `udp://${address}` : address;
};

/** Once per generation, because a program with other rights has them in every worker. */
const sayUnseen = (store: Store, worker: Worker, missing: readonly Listener[]): void => {
  if (!isFirst(store, "socketsUnseen", worker.generation)) return;
  const { id, pid } = worker;
  recordEvent(
    store,
    { kind: "socketsUnseen", worker: id, pid, sockets: missing.map(named) },
    store.platform.monotonicNow(),
  );
};
