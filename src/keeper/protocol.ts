// The keeper's protocol as one table: every frame, its number and its fields in order. The same in C is
// keeper/protocol/protocol.h, which tools/write-keeper-protocol.ts writes. What each frame means is in docs/reference/keeper-protocol.md.

/** Raised whenever a frame changes its shape. Both sides must agree on it in `hello` and `attach`. */
export const PROTOCOL_VERSION = 3;

/**
 * How a field lies on the wire, little-endian: `u8`, `u32`, `i32`, `u64` (below 2^53 in TypeScript) as such; `text`
 * (UTF-8) and `bytes` behind a u32 length; `texts`, `numbers` (u64) and `pairs` behind a u32 count.
 * `pairs` are (text, text) in turn.
 */
export type FieldType = "u8" | "u32" | "i32" | "u64" | "text" | "bytes" | "texts" | "numbers" | "pairs";

type Frame = { readonly code: number; readonly fields: Readonly<Record<string, FieldType>> };

/** Limits that both sides keep, in bytes and counts. */
export const LIMITS = {
  frameBytes: 8 * 1024 * 1024,
  batchBytes: 16 * 1024 * 1024,
  lineBytes: 1024 * 1024,
  datagramBytes: 8 * 1024,
  connections: 1024,
  connectionOutputBytes: 8 * 1024 * 1024,
  keyBytes: 128,
  tailBytes: 8 * 1024,
} as const;

/** What the supervisor tells the keeper. Frames from the first one to `commit` are one batch; `attach` and `idle` stand alone. */
export const COMMANDS = {
  /** The supervisor's first frame: it speaks this protocol and has taken over. */
  attach: { code: 1, fields: { protocol: "u32" } },
  /** Ends a batch: events up to `consumed` are done, the next tick is due at `tickAt` (CLOCK_MONOTONIC ms, 0 for none). */
  commit: { code: 2, fields: { consumed: "u64", tickAt: "u64" } },
  /** The supervisor has nothing to do after event `seen`; the keeper answers `sleep` if nothing newer is queued. */
  idle: { code: 3, fields: { seen: "u64" } },
  /** First of all from a supervisor that is to take the place of another: it is there, and waits for its hello. */
  present: { code: 4, fields: {} },
  /**
   * Before that, where it came through a wrapper: what that left it. `limits` are (resource, soft, hard) in turn. Said by the
   * keeper's program before it becomes the supervisor.
   */
  base: { code: 5, fields: { environment: "texts", cwd: "text", umask: "u32", nice: "i32", limits: "numbers" } },

  /** Journal: sets a key. */
  put: { code: 10, fields: { key: "text", value: "bytes" } },
  /** Journal: removes a key. */
  remove: { code: 11, fields: { key: "text" } },
  /** Moves the journal into a new file at `path` (0600), in place of what is there once it is whole. Until then it is in memory. */
  openJournal: { code: 12, fields: { path: "text" } },
  /**
   * The same for the journal of a crank that was killed, which this one goes on from. A disk without room is no failure: the
   * journal stays in memory (`journalFailed`), and what is on the disk counts until the next batch.
   */
  takeJournal: { code: 15, fields: { path: "text" } },
  /** Takes an exclusive lock on the file at `path` (0600, made if missing), writes the keeper's pid into it, and removes it at the end. `id` is for `failed`. */
  lock: { code: 13, fields: { id: "u64", path: "text" } },
  /** Copies the journal, this batch's changes included, into a memory file that is held as `handle`. */
  copyJournal: { code: 14, fields: { handle: "u64" } },

  /** Opens, sets up, binds and (backlog > 0) listens. `type` may carry SOCK_NONBLOCK. `options` are (level, name, value) triples, set before the bind. `mode`, `uid`, `gid`: 0xffffffff leaves them. */
  openSocket: {
    code: 20,
    fields: {
      handle: "u64",
      domain: "u32",
      type: "u32",
      protocol: "u32",
      address: "bytes",
      options: "numbers",
      backlog: "u32",
      mode: "u32",
      uid: "u32",
      gid: "u32",
    },
  },
  /** Takes over the descriptor `fd` that the keeper was started with; listens if it is a stream socket that does not yet and backlog > 0. */
  inheritSocket: { code: 21, fields: { handle: "u64", fd: "u32", backlog: "u32" } },
  /** Asks for a socket's accept queue; answered by `socketStat`. */
  statSocket: { code: 23, fields: { request: "u64", handle: "u64" } },
  closeHandle: { code: 24, fields: { handle: "u64" } },
  /** Connects a datagram socket to `address`, for heartbeats, syslog and notifications to the machine's supervisor. */
  openDatagram: { code: 25, fields: { handle: "u64", domain: "u32", address: "bytes" } },
  /** Sends one datagram with the descriptors of `handles`. On a handle, or (worker > 0) to a worker's notify socket pair. */
  sendDatagram: { code: 26, fields: { handle: "u64", worker: "u64", bytes: "bytes", handles: "numbers" } },
  /** Keeps descriptor number `index` of the datagram event `event` as `handle`; what is not kept is closed with the event's commit. */
  keepDescriptor: { code: 27, fields: { event: "u64", index: "u32", handle: "u64" } },
  /** Takes descriptor `fd` out of a living process (pidfd_getfd), if its start time is `startTime`. */
  takeDescriptor: {
    code: 28,
    fields: { handle: "u64", pid: "u32", startTime: "u64", fd: "u32", uid: "u32", gid: "u32" },
  },

  /** Keeps a handle for a later worker: a listening socket is not made to listen again any more, and with `poll` 1 `hungUp` is told of what loses its peer. */
  storeHandle: { code: 30, fields: { handle: "u64", poll: "u8" } },
  /** Sends a worker one datagram with the descriptors of these handles, and closes the handles; answered by `handed`. If it fails they stay. */
  hand: { code: 31, fields: { worker: "u64", bytes: "bytes", handles: "numbers" } },
  /** Where fewer connections may wait at a listening socket than `backlog`, listen(2) with that. Answered by `backlogRestored` if it changes anything. */
  keepBacklog: { code: 36, fields: { handle: "u64", backlog: "u32" } },

  /**
   * Looks whether the name of a unix socket's file leads to it, now and whenever something happens to it (inotify), and puts it
   * back from a second name that the file gets: at `spare`, or where that is "" or on another file system, beside the first.
   * What comes of that is told by `nameChanged`. A name that is watched already is looked at.
   */
  watchName: { code: 32, fields: { handle: "u64", spare: "text" } },
  /** Removes the names of a socket's file, if they lead to it. */
  removeName: { code: 33, fields: { handle: "u64" } },
  /** Makes a socket's file another user's, if its name leads to it. */
  giveName: { code: 34, fields: { handle: "u64", uid: "u32", gid: "u32" } },
  /** Binds a new unix socket at the name of a handle's, which takes its number (`opened`); the old one is kept as `kept`, or closed (0). */
  bindAgain: { code: 35, fields: { handle: "u64", kept: "u64" } },

  /**
   * Starts a process. `env` are pairs set in the base environment; `unset` are names taken out of it; `ownPid` are
   * names that the process gets with its own pid as the value. `descriptors` are (handle, target fd) in turn.
   * `stdin`: 0 /dev/null, 1 the keeper's. `output`: 0 routed, 1 the keeper's stdout and stderr, 2 /dev/null.
   * `notifyFd`: the target of one end of a datagram pair, 0 for none. `notifyPath`: where a datagram socket is
   * bound for it (a leading @ makes it abstract), "" for none. `identity`: empty, or uid, gid, then the supplementary groups.
   * `limits` are (resource, soft, hard) in turn, 2^53 - 1 meaning no limit. `umask`: 0xffffffff leaves it. `nice`: added to the keeper's.
   * `oomScore`: 0x7fffffff restores what the keeper was started with. `deathSignal`: 0 for none.
   * `connectFd`: the target of a stream socket that is connected to the unix socket `connectPath`, 0 for none.
   * `flags`: see SPAWN_FLAGS. `prefix` and `json`: how its output lines are marked, see docs/reference/keeper-protocol.md.
   */
  spawn: {
    code: 40,
    fields: {
      worker: "u64",
      file: "text",
      args: "texts",
      cwd: "text",
      env: "pairs",
      unset: "texts",
      ownPid: "texts",
      descriptors: "numbers",
      stdin: "u8",
      output: "u8",
      notifyFd: "u32",
      notifyPath: "text",
      identity: "numbers",
      umask: "u32",
      limits: "numbers",
      nice: "i32",
      oomScore: "i32",
      deathSignal: "u32",
      flags: "u32",
      prefix: "text",
      json: "text",
      connectFd: "u32",
      connectPath: "text",
    },
  },
  /** Sends a signal to a worker's main process, or (group 1, and where that has ended) to every process of its tree. A worker that is gone is no error: its exit is on the way. */
  signal: { code: 41, fields: { worker: "u64", signal: "u32", group: "u8" } },
  /**
   * Watches a process that is not the keeper's child, by pidfd, as a worker (adoption). `output`: its descriptor of the pipe
   * that it writes to, UNCHANGED for none. `notifyFd` and `notifyPath` as in `spawn`: the path is bound anew, and the
   * descriptor led there. `identity`, `prefix` and `json` as in `spawn`. `keeper`: the pid of the keeper that started it, with
   * which and with its `generation` its processes are found. One whose main process is gone is adopted for what that left.
   */
  adopt: {
    code: 42,
    fields: {
      worker: "u64",
      pid: "u32",
      startTime: "u64",
      keeper: "u32",
      generation: "u64",
      flags: "u32",
      output: "u32",
      notifyFd: "u32",
      notifyPath: "text",
      identity: "numbers",
      prefix: "text",
      json: "text",
    },
  },
  /** Changes the base environment of later spawns. */
  setBase: { code: 43, fields: { env: "pairs", unset: "texts" } },

  /** Expects WATCHDOG=1 from a worker's own process at least every `periodMs` from now on; 0 ends that. */
  watchdog: { code: 44, fields: { worker: "u64", periodMs: "u32" } },
  /** The process `pid`, if it began at `startTime`, is the worker's from now on: watched, signalled, and its end told. Answered by `moved`. */
  followMain: { code: 45, fields: { worker: "u64", pid: "u32", startTime: "u64" } },

  /** Accepts on a listening stream socket and delivers lines. */
  acceptOn: { code: 50, fields: { handle: "u64" } },
  /**
   * Accepts on a listening stream socket that HTTP requests come in on, one for a connection. The event is a `line` too: the
   * first line of a request whose head has come to its end, or a line that is no HTTP request's.
   */
  acceptHeads: { code: 53, fields: { handle: "u64" } },
  /** Sends bytes to a connection; `close` 1 ends it when they are gone; 2 likewise, and connections from its internet address have to wait, each time longer. */
  write: { code: 51, fields: { connection: "u64", bytes: "bytes", close: "u8" } },
  /** Sends the last `lines` output lines (of `worker`, 0 for all) to a connection as notifications, and (follow 1) all that follow. */
  follow: { code: 52, fields: { connection: "u64", worker: "u64", lines: "u32", follow: "u8" } },

  /**
   * How worker output is passed on. `format`: 0 text, 1 json. `sink`: 0 stdout, 2 stderr, 1 datagrams to the unix socket at
   * `address` (syslog), whether somebody has it bound already or not, with `header` before each line.
   */
  routeOutput: { code: 60, fields: { format: "u8", sink: "u8", address: "bytes", header: "text" } },
  /** Writes crank's own log lines, through the same thread that writes worker output. `sink`: 1 stdout, 2 stderr, 3 the syslog sink. */
  log: { code: 61, fields: { sink: "u8", bytes: "bytes" } },
  /** Sends `bytes` on a datagram handle every `periodMs`, for as long as events are being consumed. 0 ends it. */
  heartbeat: { code: 62, fields: { handle: "u64", periodMs: "u32", bytes: "bytes" } },

  /** Answered by the event `reached` when everything before it in this batch has been done or has failed. */
  barrier: { code: 70, fields: { token: "u64" } },
  /** Which program `runtime` the next supervisor is started from; opened now and held. `bundle` is of earlier versions, and empty. */
  setProgram: { code: 71, fields: { runtime: "text", bundle: "text" } },
  /** Executes the keeper anew in place from `path`, all state kept. A failure becomes an event. */
  execute: { code: 72, fields: { path: "text" } },
  /** Ends the keeper with `status` when output is flushed. `keepJournal` 0 removes the journal file. Workers are left alone. */
  exit: { code: 73, fields: { status: "u32", keepJournal: "u8" } },
  /**
   * Starts the supervisor that is to take this one's place, from the program `runtime`, which is opened now (`bundle` as in setProgram), or through the
   * program `file` (not "") with `args`, in the base environment without `unset`, with its end of the channel as descriptor
   * `fd`. This one serves until that one is present. Answered by `supervisorReplaced` or `supervisorKept`. `patienceMs`: how
   * long it may take, 0 for ever.
   */
  replaceSupervisor: {
    code: 74,
    fields: {
      runtime: "text",
      bundle: "text",
      file: "text",
      args: "texts",
      unset: "texts",
      fd: "u32",
      patienceMs: "u32",
    },
  },
  /** Lets the keeper's program at `path` take over a copy of all that the keeper has, in a child, and end. Answered by `rehearsed`. */
  rehearse: { code: 75, fields: { path: "text" } },
  /** Answered by `reached` at once: what stands before it has been done or has failed, but for starts, which may be under way. */
  mark: { code: 76, fields: { token: "u64" } },
  /** What ps shows of the keeper, in place of its arguments. */
  setTitle: { code: 77, fields: { title: "text" } },
} as const satisfies Record<string, Frame>;

/**
 * What the keeper tells the supervisor. Frames below 100 stand alone; those from 100 on are events, and begin with
 * `seq` (1, 2, 3 …, never reused), `happenedAt` and `deliveredAt` (CLOCK_MONOTONIC ms).
 */
export const MESSAGES = {
  /** First of a hello, the keeper's own facts. `fresh` 1: the journal is empty. `crashes`: supervisors that died since one slept or was started. `realtimeOffset`: CLOCK_REALTIME − CLOCK_MONOTONIC, ms. `path`: by which the keeper was started, absolute, not resolved. */
  hello: {
    code: 1,
    fields: {
      protocol: "u32",
      version: "text",
      pid: "u32",
      startedAt: "u64",
      now: "u64",
      realtimeOffset: "u64",
      bootId: "text",
      home: "text",
      cwd: "text",
      args: "texts",
      program: "text",
      fresh: "u8",
      crashes: "u32",
      consumed: "u64",
      executions: "u32",
      path: "text",
    },
  },
  helloEntry: { code: 2, fields: { key: "text", value: "bytes" } },
  /** `state`: 0 being started, 1 running, 2 exited, or not started, and that not yet consumed, 3 its main process has ended and others of its tree have not. */
  helloWorker: { code: 3, fields: { worker: "u64", pid: "u32", startTime: "u64", state: "u8" } },
  /** `inode`: by which /proc/PID/fd names it, 0 if it is not a socket. */
  helloHandle: { code: 4, fields: { handle: "u64", inode: "u64", address: "bytes" } },
  helloConnection: { code: 5, fields: { connection: "u64", listener: "u64", pid: "u32", uid: "u32", gid: "u32" } },
  /** Ends a hello; outstanding events follow after `attach`. */
  helloEnd: { code: 6, fields: { outstanding: "u32" } },
  /** `idle` is granted: the supervisor exits. */
  sleep: { code: 7, fields: {} },
  /** The local time zone of the keeper's C library: seconds east of UTC until `until` (seconds since 1970), and behind that. */
  helloZone: { code: 8, fields: { offset: "i32", until: "u64", nextOffset: "i32" } },

  tick: { code: 100, fields: {} },
  /** A signal that the keeper received. */
  signalled: { code: 101, fields: { signal: "u32", pid: "u32", uid: "u32" } },
  /** A command failed. `id`: its handle, worker, connection, request, token or id. `step` says what was tried (socket, bind, listen, open …). */
  failed: { code: 102, fields: { command: "u32", id: "u64", step: "text", errno: "u32" } },
  reached: { code: 103, fields: { token: "u64" } },
  /** A supervisor ended without being asked to. `ending` and `status` as in `exited`. */
  supervisorDied: { code: 104, fields: { ending: "u8", status: "u32", lastEvent: "u64" } },
  /** An event that killed three supervisors was set aside; `event` is its code, `bytes` the start of what it said. */
  setAside: { code: 105, fields: { event: "u32", bytes: "bytes" } },
  /** The journal can no longer be written; it goes on in memory. */
  journalFailed: { code: 106, fields: { step: "text", errno: "u32" } },
  /** The supervisor that `replaceSupervisor` started has taken over: it has sent its first batch. `forked` 1: it is not the process that was started. */
  supervisorReplaced: { code: 107, fields: { pid: "u32", forked: "u8" } },
  /** It has not. `phase`: 0 it went before it was present, 1 it took too long to get there, 2 it went before its first batch. `ending` and `status` as in `exited`. */
  supervisorKept: { code: 108, fields: { phase: "u8", ending: "u8", status: "u32" } },
  /** What came of `rehearse`. `step`: what could not be done, with its errno; else "", and how it ended (status 0: it can take over). */
  rehearsed: { code: 109, fields: { step: "text", errno: "u32", ending: "u8", status: "u32" } },

  /** A socket is open. `address`: what getsockname says. `listening` 1 if it accepts, of `limit` connections that may wait (0: not known). `inode` as in `helloHandle`. */
  opened: {
    code: 110,
    fields: {
      handle: "u64",
      domain: "u32",
      type: "u32",
      listening: "u8",
      limit: "u32",
      inode: "u64",
      address: "bytes",
    },
  },
  socketStat: { code: 111, fields: { request: "u64", handle: "u64", queue: "u32", limit: "u32" } },
  /** Somebody shut the listening socket down for everybody; the keeper made it listen again. */
  relistened: { code: 112, fields: { handle: "u64", errno: "u32" } },

  /** The peer of a stored handle has hung up, or the handle has failed (EPOLLHUP, EPOLLERR). Told once. */
  hungUp: { code: 113, fields: { handle: "u64" } },
  /** A worker had shortened a socket's queue: so many could wait, and so many can now. */
  backlogRestored: { code: 116, fields: { handle: "u64", before: "u32", after: "u32" } },

  /** The journal is on the disk again, so long after it had left it. */
  journalRestored: { code: 114, fields: { afterMs: "u64" } },
  /** What became of a watched name. `state`: see NAME_STATES. `pid`: who listens there instead, 0 if that is not known. */
  nameChanged: { code: 115, fields: { handle: "u64", state: "u8", pid: "u32", errno: "u32" } },

  spawned: { code: 120, fields: { worker: "u64", pid: "u32", startTime: "u64" } },
  /** The process was not started. `step`: pipe, fork, chdir, setgroups, setgid, setuid, umask, limit, nice, exec … */
  spawnFailed: { code: 121, fields: { worker: "u64", step: "text", errno: "u32" } },
  /** A worker is gone, with all processes of its tree, and all that it said before has been told. How its main process ended is `ending`: 0 exit status, 1 signal, 2 signal with core dump, 3 unknown. `tail`: its last output lines, raw. */
  exited: { code: 122, fields: { worker: "u64", pid: "u32", ending: "u8", status: "u32", tail: "bytes" } },

  /** The worker's process is another one now. */
  moved: { code: 123, fields: { worker: "u64", pid: "u32", startTime: "u64" } },

  /** A worker's main process has ended, and `rest` processes of its tree have not: signals go to them, and `exited` follows when none is left. */
  mainExited: { code: 124, fields: { worker: "u64", pid: "u32", ending: "u8", status: "u32", rest: "u32" } },
  /** SIGKILL has ended `count` processes of a worker's tree beside its main one, of which the first are named. `worker` 0: what workers had left that are gone. */
  killed: { code: 125, fields: { worker: "u64", count: "u32", pids: "numbers", commands: "texts" } },

  /** A datagram on a worker's notify socket. `source`: 0 the pair, 1 the path. `flags`: 1 truncated. `descriptors`: how many came with it. */
  datagram: {
    code: 130,
    fields: {
      worker: "u64",
      source: "u8",
      pid: "u32",
      uid: "u32",
      gid: "u32",
      flags: "u32",
      descriptors: "u32",
      bytes: "bytes",
    },
  },

  /** The datagram of a `hand` is on its way, and its handles are closed. */
  handed: { code: 131, fields: { worker: "u64" } },
  /** A worker's own process has not said WATCHDOG=1 for `periodMs`; it is not waited for any more. `strangers`: how often other processes said it since, of which `stranger` was the last. */
  watchdogExpired: { code: 132, fields: { worker: "u64", periodMs: "u32", strangers: "u32", stranger: "u32" } },

  /** A complete line from a control connection, without its newline. */
  line: {
    code: 140,
    fields: { connection: "u64", listener: "u64", pid: "u32", uid: "u32", gid: "u32", bytes: "bytes" },
  },
  /** A connection that had delivered a line is gone. `reason`: 0 closed by the peer, 1 by us, 2 line too long, 3 too slow, 4 error. */
  closed: { code: 141, fields: { connection: "u64", reason: "u8" } },
  /** Clients of this internet address were turned away (`write` with `close` 2) so often by now; the next one waits for so long. Told when the number has doubled. */
  penalized: { code: 142, fields: { address: "text", times: "u32", waitMs: "u32" } },
} as const satisfies Record<string, Frame>;

/** Bits of `spawn.flags` and `adopt.flags`. */
export const SPAWN_FLAGS = {
  /** Its own session, and with it its own process group. */
  group: 1,
  /** Not a worker: its output is not kept for `follow`, and what is left of its tree is killed when it is gone. */
  helper: 4,
  /** `nice` is the level itself. */
  niceLevel: 8,
  /** It and what it starts never gain rights by executing a program (prctl(2), PR_SET_NO_NEW_PRIVS). */
  noNewPrivs: 32,
} as const;

/** What `nameChanged` says. */
export const NAME_STATES = {
  /** It was gone, and leads to the socket again. */
  restored: 0,
  /** Another process listens there. */
  taken: 1,
  /** Something else has the name, or `errno` speaks against it. */
  blocked: 2,
  /** The file is gone with all its names: a new socket would have to be bound. */
  lost: 3,
} as const;

/** The first code of an event. */
export const FIRST_EVENT = 100;

/** 0xffffffff: leave it as it is (mode, uid, gid, umask). */
export const UNCHANGED = 0xffffffff;
/** `spawn.limits`: no limit. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;
/** `spawn.oomScore`: what the keeper itself was started with. */
export const INHERITED_OOM_SCORE = 0x7fffffff;

type FieldValue = {
  u8: number;
  u32: number;
  i32: number;
  u64: number;
  text: string;
  bytes: Uint8Array;
  texts: readonly string[];
  numbers: readonly number[];
  pairs: readonly (readonly [string, string])[];
};
type Fields<F extends Readonly<Record<string, FieldType>>> = { [K in keyof F]: FieldValue[F[K]] };
/** Bytes that are text are sent as UTF-8. */
type SentValue = Omit<FieldValue, "bytes"> & { bytes: Uint8Array | string };
type SentFields<F extends Readonly<Record<string, FieldType>>> = { [K in keyof F]: SentValue[F[K]] };

type Commands = typeof COMMANDS;
type Messages = typeof MESSAGES;
export type CommandKind = keyof Commands;
export type MessageKind = keyof Messages;

/** A command as a value: `{ kind: "signal", worker: 3, signal: 15, group: 0 }`. */
export type Command = { [K in CommandKind]: { readonly kind: K } & Fields<Commands[K]["fields"]> }[CommandKind];
/** A command as it may be handed over to be sent. */
export type SentCommand = { [K in CommandKind]: { readonly kind: K } & SentFields<Commands[K]["fields"]> }[CommandKind];
/** A message without an event's header. */
type Body = { [K in MessageKind]: { readonly kind: K } & Fields<Messages[K]["fields"]> }[MessageKind];
export type HelloKind =
  | "hello"
  | "helloEntry"
  | "helloWorker"
  | "helloHandle"
  | "helloConnection"
  | "helloZone"
  | "helloEnd"
  | "sleep";
export type EventKind = Exclude<MessageKind, HelloKind>;
/** What stands alone, outside the sequence of events. */
export type Greeting = Extract<Body, { kind: HelloKind }>;
/** An event as a value, its number and its two times (CLOCK_MONOTONIC, ms) included. */
export type KeeperEvent = Extract<Body, { kind: EventKind }> & {
  readonly seq: number;
  readonly happenedAt: number;
  readonly deliveredAt: number;
};
export type Message = Greeting | KeeperEvent;
