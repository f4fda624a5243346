// The keeper's protocol as one table: every frame with its number and its fields in order.
// tools/write-keeper-protocol.ts writes it as keeper/protocol/protocol.h for C. docs/reference/keeper-protocol.md
// explains the frames. It is long because a frame is defined here only, and both sides read the whole table.

/** Raised whenever a frame's format changes. Both sides compare it in `hello` and `attach`. */
export const PROTOCOL_VERSION = 3;

/**
 * Encoding of a field, little-endian: `u8`, `u32`, `i32`, `u64` (below 2^53 in TypeScript) as they are; `text` (UTF-8)
 * and `bytes` after a u32 length; `texts`, `numbers` (u64) and `pairs` after a u32 count. `pairs`: alternating (text,
 * text).
 */
export type FieldType = "u8" | "u32" | "i32" | "u64" | "text" | "bytes" | "texts" | "numbers" | "pairs";

type Frame = { readonly code: number; readonly fields: Readonly<Record<string, FieldType>> };

/** Limits for both sides, in bytes and counts. */
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

/**
 * Commands from the supervisor to the keeper. Frames up to a `commit` are one batch; `attach` and `idle` stand alone.
 */
export const COMMANDS = {
  /** The supervisor's first frame: its protocol version. It has taken over. */
  attach: { code: 1, fields: { protocol: "u32" } },
  /** Ends a batch: events up to `consumed` are done, the next tick is due at `tickAt` (CLOCK_MONOTONIC ms, 0 for none). */
  commit: { code: 2, fields: { consumed: "u64", tickAt: "u64" } },
  /** The supervisor has no work after event `seen`. The keeper answers `sleep` if no newer event is queued. */
  idle: { code: 3, fields: { seen: "u64" } },
  /** The first frame of a supervisor that is to replace another: it runs and waits for its hello. */
  present: { code: 4, fields: {} },
  /**
   * Sent before that if it was started through a wrapper: the process attributes that the wrapper left. `limits`:
   * alternating (resource, soft, hard). Sent by the keeper's program before it becomes the supervisor.
   */
  base: { code: 5, fields: { environment: "texts", cwd: "text", umask: "u32", nice: "i32", limits: "numbers" } },

  /** Journal: sets a key. */
  put: { code: 10, fields: { key: "text", value: "bytes" } },
  /** Journal: removes a key. */
  remove: { code: 11, fields: { key: "text" } },
  /**
   * Moves the journal into a new file at `path` (0600), which replaces an old one when it is complete. Until then the
   * journal is in memory.
   */
  openJournal: { code: 12, fields: { path: "text" } },
  /**
   * The same when this crank adopts the journal of a killed one. A full disk is not a failure: the journal stays in
   * memory (`journalFailed`), and the file on disk is valid until the next batch.
   */
  takeJournal: { code: 15, fields: { path: "text" } },
  /**
   * Locks the file at `path` exclusively (0600, created if missing), writes the keeper's pid into it, and removes it at
   * the end. `id` is for `failed`.
   */
  lock: { code: 13, fields: { id: "u64", path: "text" } },
  /** Copies the journal, this batch's changes included, into a memory file with this `handle`. */
  copyJournal: { code: 14, fields: { handle: "u64" } },

  /**
   * Opens a socket, sets its options, binds it and (backlog > 0) listens. `type` may include SOCK_NONBLOCK. `options`:
   * (level, name, value) triples, set before the bind. `mode`, `uid`, `gid`: 0xffffffff leaves them unchanged.
   */
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
  /**
   * Uses the descriptor `fd` that the keeper was started with. Listens if it is a stream socket that does not listen
   * yet and backlog > 0.
   */
  inheritSocket: { code: 21, fields: { handle: "u64", fd: "u32", backlog: "u32" } },
  /** Queries a socket's accept queue; answered by `socketStat`. */
  statSocket: { code: 23, fields: { request: "u64", handle: "u64" } },
  closeHandle: { code: 24, fields: { handle: "u64" } },
  /** Connects a datagram socket to `address`, for heartbeats, syslog and notifications to the service manager. */
  openDatagram: { code: 25, fields: { handle: "u64", domain: "u32", address: "bytes" } },
  /**
   * Sends one datagram with the descriptors of `handles`: on a handle, or (worker > 0) to the pair of a worker's notify
   * socket.
   */
  sendDatagram: { code: 26, fields: { handle: "u64", worker: "u64", bytes: "bytes", handles: "numbers" } },
  /**
   * Keeps descriptor number `index` of the datagram event `event` as `handle`. Descriptors that are not kept are closed
   * with the event's commit.
   */
  keepDescriptor: { code: 27, fields: { event: "u64", index: "u32", handle: "u64" } },
  /** Takes descriptor `fd` from a living process (pidfd_getfd), if its start time is `startTime`. */
  takeDescriptor: {
    code: 28,
    fields: { handle: "u64", pid: "u32", startTime: "u64", fd: "u32", uid: "u32", gid: "u32" },
  },

  /**
   * Keeps a handle for a later worker. A listening socket is not made to listen again any more. With `poll` 1 the event
   * `hungUp` reports that its peer is gone.
   */
  storeHandle: { code: 30, fields: { handle: "u64", poll: "u8" } },
  /**
   * Sends a worker one datagram with the descriptors of these handles, and closes the handles; answered by `descriptorsSent`.
   * After a failure they stay.
   */
  sendDescriptors: { code: 31, fields: { worker: "u64", bytes: "bytes", handles: "numbers" } },
  /**
   * Calls listen(2) with `backlog` if the socket's backlog is smaller. Answered by `backlogRestored` if that changed
   * something.
   */
  keepBacklog: { code: 36, fields: { handle: "u64", backlog: "u32" } },

  /**
   * Checks that the name of a unix socket's file leads to it, now and after every change (inotify). Restores it from a
   * second name of the file, at `spare`, or beside the first if that is "" or on another file system. Results come as
   * `nameChanged`. If the name is already watched, it is checked again.
   */
  watchName: { code: 32, fields: { handle: "u64", spare: "text" } },
  /** Removes the names of a socket's file, if they lead to it. */
  removeName: { code: 33, fields: { handle: "u64" } },
  /** Changes the owner of a socket's file, if its name leads to it. */
  giveName: { code: 34, fields: { handle: "u64", uid: "u32", gid: "u32" } },
  /**
   * Binds a new unix socket at the name of a handle. It gets the handle's number (`opened`). The old socket is kept as
   * `kept`, or closed (0).
   */
  bindAgain: { code: 35, fields: { handle: "u64", kept: "u64" } },

  /**
   * Starts a process. `env`: pairs set in the base environment; `unset`: names removed from it; `ownPid`: names that
   * get the process's own pid as their value. `descriptors`: alternating (handle, target fd). `stdin`: 0 /dev/null, 1
   * the keeper's. `output`: 0 routed, 1 the keeper's stdout and stderr, 2 /dev/null. `notifyFd`: the target of one end
   * of a datagram pair, 0 for none. `notifyPath`: where a datagram socket is bound for it (a leading @ makes it
   * abstract), "" for none. `identity`: empty, or uid, gid, then the supplementary groups. `limits`: alternating
   * (resource, soft, hard), 2^53 - 1 for no limit. `umask`: 0xffffffff leaves it unchanged. `nice`: added to the
   * keeper's. `oomScore`: 0x7fffffff restores the one that the keeper was started with. `deathSignal`: 0 for none.
   * `connectFd`: the target of a stream socket that is connected to the unix socket `connectPath`, 0 for none. `flags`:
   * see SPAWN_FLAGS. `prefix` and `json`: how its output lines are marked, see docs/reference/keeper-protocol.md.
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
  /**
   * Sends a signal to a worker's main process or, with group 1 or if that has ended, to every process of its tree. A
   * worker that is gone is not an error: its exit follows.
   */
  signal: { code: 41, fields: { worker: "u64", signal: "u32", group: "u8" } },
  /**
   * Adopts a process that is not the keeper's child as a worker, and watches it by pidfd. `output`: its descriptor of
   * its output pipe, UNCHANGED for none. `notifyFd` and `notifyPath` as in `spawn`: the path is bound again, and the
   * descriptor is connected to it. `identity`, `prefix` and `json` as in `spawn`. `keeper`: the pid of the keeper that
   * started it; with this and `generation` its processes are found. If its main process is gone, the rest of its tree
   * is adopted.
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
  /**
   * Makes process `pid`, if it started at `startTime`, the worker's main process: it is watched and signalled, and its
   * end reported. Answered by `moved`.
   */
  followMain: { code: 45, fields: { worker: "u64", pid: "u32", startTime: "u64" } },

  /** Accepts on a listening stream socket and delivers lines. */
  acceptOn: { code: 50, fields: { handle: "u64" } },
  /**
   * Accepts HTTP requests on a listening stream socket, one per connection. The event is a `line` too: the first line
   * of a request whose head is complete, or a line that is not HTTP.
   */
  acceptHeads: { code: 53, fields: { handle: "u64" } },
  /**
   * Sends bytes to a connection. `close` 1 ends it when they are sent. `close` 2 does too, and delays further
   * connections from its internet address, longer each time.
   */
  write: { code: 51, fields: { connection: "u64", bytes: "bytes", close: "u8" } },
  /**
   * Sends the last `lines` output lines (of `worker`, 0 for all) to a connection as notifications and, with `follow` 1,
   * all that follow.
   */
  follow: { code: 52, fields: { connection: "u64", worker: "u64", lines: "u32", follow: "u8" } },

  /**
   * Routes workers' output. `format`: 0 text, 1 json. `sink`: 0 stdout, 2 stderr, 1 datagrams to the unix socket at
   * `address` (syslog), which need not be bound yet, with `header` before each line.
   */
  routeOutput: { code: 60, fields: { format: "u8", sink: "u8", address: "bytes", header: "text" } },
  /**
   * Writes crank's own log lines, by the same thread as workers' output. `sink`: 1 stdout, 2 stderr, 3 the syslog sink.
   */
  log: { code: 61, fields: { sink: "u8", bytes: "bytes" } },
  /** Sends `bytes` on a datagram handle every `periodMs`, as long as events are being consumed. 0 ends it. */
  heartbeat: { code: 62, fields: { handle: "u64", periodMs: "u32", bytes: "bytes" } },

  /** Answered by the event `reached` when everything before it in this batch is done or has failed. */
  barrier: { code: 70, fields: { token: "u64" } },
  /**
   * The program `runtime` from which the next supervisor is started; opened now and held. `bundle` is from earlier
   * versions, and empty.
   */
  setProgram: { code: 71, fields: { runtime: "text", bundle: "text" } },
  /** Re-executes the keeper from `path`, with all its state. A failure becomes an event. */
  execute: { code: 72, fields: { path: "text" } },
  /**
   * Ends the keeper with `status` when its output is flushed. `keepJournal` 0 removes the journal file. Workers keep
   * running.
   */
  exit: { code: 73, fields: { status: "u32", keepJournal: "u8" } },
  /**
   * Starts the supervisor that is to replace this one: from the program `runtime`, which is opened now (`bundle` as in
   * setProgram), or through the program `file` (not "") with `args`, in the base environment without `unset`, with its
   * end of the channel as descriptor `fd`. This supervisor serves until the new one is present. Answered by
   * `supervisorReplaced` or `supervisorKept`. `patienceMs`: time limit, 0 for none.
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
  /**
   * Tests a re-exec: the keeper's program at `path` takes over a copy of the keeper's state, in a child, and ends.
   * Answered by `rehearsed`.
   */
  rehearse: { code: 75, fields: { path: "text" } },
  /**
   * Answered by `reached` at once: everything before it is done or has failed, except starts, which may be in progress.
   */
  mark: { code: 76, fields: { token: "u64" } },
  /** The process title of the keeper in ps. */
  setTitle: { code: 77, fields: { title: "text" } },
} as const satisfies Record<string, Frame>;

/**
 * Messages from the keeper to the supervisor. Frames below 100 stand alone. Those from 100 on are events, and begin
 * with `seq` (1, 2, 3 …, never reused), `happenedAt` and `deliveredAt` (CLOCK_MONOTONIC ms).
 */
export const MESSAGES = {
  /**
   * The first message of a hello: facts about the keeper. `fresh` 1: the journal is empty. `crashes`: supervisors that
   * died since one ended normally. `realtimeOffset`: CLOCK_REALTIME − CLOCK_MONOTONIC, ms. `path`: the path by which
   * the keeper was started, absolute, not resolved.
   */
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
  /**
   * `state`: 0 being started; 1 running; 2 exited or not started, in an event that is not consumed yet; 3 its main
   * process has ended and others of its tree have not.
   */
  helloWorker: { code: 3, fields: { worker: "u64", pid: "u32", startTime: "u64", state: "u8" } },
  /** `inode`: the one in /proc/PID/fd, 0 if it is not a socket. */
  helloHandle: { code: 4, fields: { handle: "u64", inode: "u64", address: "bytes" } },
  helloConnection: { code: 5, fields: { connection: "u64", listener: "u64", pid: "u32", uid: "u32", gid: "u32" } },
  /** Ends a hello; outstanding events follow after `attach`. */
  helloEnd: { code: 6, fields: { outstanding: "u32" } },
  /** The answer to `idle`: the supervisor exits. */
  sleep: { code: 7, fields: {} },
  /**
   * The local time zone in the keeper's C library: seconds east of UTC until `until` (seconds since 1970), and after
   * it.
   */
  helloZone: { code: 8, fields: { offset: "i32", until: "u64", nextOffset: "i32" } },

  tick: { code: 100, fields: {} },
  /** A signal that the keeper received. */
  signalled: { code: 101, fields: { signal: "u32", pid: "u32", uid: "u32" } },
  /**
   * A command failed. `id`: its handle, worker, connection, request, token or id. `step`: the operation that failed
   * (socket, bind, listen, open …).
   */
  failed: { code: 102, fields: { command: "u32", id: "u64", step: "text", errno: "u32" } },
  reached: { code: 103, fields: { token: "u64" } },
  /** A supervisor ended unexpectedly. `ending` and `status` as in `exited`. */
  supervisorDied: { code: 104, fields: { ending: "u8", status: "u32", lastEvent: "u64" } },
  /**
   * An event that crashed three supervisors was set aside. `event` is its code, `bytes` the beginning of its content.
   */
  quarantined: { code: 105, fields: { event: "u32", bytes: "bytes" } },
  /** The journal can no longer be written to disk; it continues in memory. */
  journalFailed: { code: 106, fields: { step: "text", errno: "u32" } },
  /**
   * The supervisor that `replaceSupervisor` started has taken over: it has sent its first batch. `forked` 1: it is not
   * the process that was started.
   */
  supervisorReplaced: { code: 107, fields: { pid: "u32", forked: "u8" } },
  /**
   * The new supervisor has not taken over. `phase`: 0 it ended before it was present, 1 it was not present in time, 2
   * it ended before its first batch. `ending` and `status` as in `exited`.
   */
  supervisorKept: { code: 108, fields: { phase: "u8", ending: "u8", status: "u32" } },
  /**
   * The result of `rehearse`. `step`: the operation that failed, with its errno; else "", and how the child ended
   * (status 0: it can take over).
   */
  rehearsed: { code: 109, fields: { step: "text", errno: "u32", ending: "u8", status: "u32" } },

  /**
   * A socket is open. `address`: from getsockname(2). `listening` 1: it listens, with a backlog of `limit` (0: not
   * known). `inode` as in `helloHandle`.
   */
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
  /** A process shut the listening socket down for all; the keeper made it listen again. */
  relistened: { code: 112, fields: { handle: "u64", errno: "u32" } },

  /** The peer of a stored handle has hung up, or the handle has failed (EPOLLHUP, EPOLLERR). Sent once. */
  hungUp: { code: 113, fields: { handle: "u64" } },
  /** A worker had shortened a socket's backlog; the backlog before and after it was restored. */
  backlogRestored: { code: 116, fields: { handle: "u64", before: "u32", after: "u32" } },

  /** The journal is on disk again, `afterMs` after the failure. */
  journalRestored: { code: 114, fields: { afterMs: "u64" } },
  /**
   * The state of a watched name. `state`: see NAME_STATES. `pid`: the process that listens there instead, 0 if unknown.
   */
  nameChanged: { code: 115, fields: { handle: "u64", state: "u8", pid: "u32", errno: "u32" } },

  spawned: { code: 120, fields: { worker: "u64", pid: "u32", startTime: "u64" } },
  /** The process was not started. `step`: pipe, fork, chdir, setgroups, setgid, setuid, umask, limit, nice, exec … */
  spawnFailed: { code: 121, fields: { worker: "u64", step: "text", errno: "u32" } },
  /**
   * A worker is gone, with all processes of its tree, and all its messages were delivered. `ending` of its main
   * process: 0 exit status, 1 signal, 2 signal with core dump, 3 unknown. `tail`: its last output lines, raw.
   */
  exited: { code: 122, fields: { worker: "u64", pid: "u32", ending: "u8", status: "u32", tail: "bytes" } },

  /** The worker has another main process now. */
  moved: { code: 123, fields: { worker: "u64", pid: "u32", startTime: "u64" } },

  /**
   * A worker's main process has ended, and `rest` processes of its tree have not. They get the signals for the worker,
   * and `exited` follows when none is left.
   */
  mainExited: { code: 124, fields: { worker: "u64", pid: "u32", ending: "u8", status: "u32", rest: "u32" } },
  /**
   * SIGKILL has ended `count` processes of a worker's tree, besides its main process; the first of them are named.
   * `worker` 0: processes of workers that are gone.
   */
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

  /** The datagram of a `sendDescriptors` was sent, and its handles are closed. */
  descriptorsSent: { code: 131, fields: { worker: "u64" } },
  /**
   * A worker's own process has not sent WATCHDOG=1 for `periodMs`; the watchdog has ended. `strangers`: how often other
   * processes sent it since, the last of which was `stranger`.
   */
  watchdogExpired: { code: 132, fields: { worker: "u64", periodMs: "u32", strangers: "u32", stranger: "u32" } },

  /** A complete line from a control connection, without its newline. */
  line: {
    code: 140,
    fields: { connection: "u64", listener: "u64", pid: "u32", uid: "u32", gid: "u32", bytes: "bytes" },
  },
  /**
   * A connection that had delivered a line is closed. `reason`: 0 by the peer, 1 by the supervisor, 2 line too long, 3
   * too slow, 4 error.
   */
  closed: { code: 141, fields: { connection: "u64", reason: "u8" } },
  /**
   * How often clients of this internet address were refused (`write` with `close` 2); the next one waits for `waitMs`.
   * Sent when the number has doubled.
   */
  penalized: { code: 142, fields: { address: "text", times: "u32", waitMs: "u32" } },
} as const satisfies Record<string, Frame>;

/** Bits of `spawn.flags` and `adopt.flags`. */
export const SPAWN_FLAGS = {
  /** Its own session, and so its own process group. */
  group: 1,
  /** Not a worker: its output is not kept for `follow`, and the rest of its tree is killed when it has ended. */
  helper: 4,
  /** `nice` is the absolute level. */
  niceLevel: 8,
  /** It and what it starts never gain privileges by executing a program (prctl(2), PR_SET_NO_NEW_PRIVS). */
  noNewPrivs: 32,
} as const;

/** The states in `nameChanged`. */
export const NAME_STATES = {
  /** It was gone and leads to the socket again. */
  restored: 0,
  /** Another process listens there. */
  taken: 1,
  /** Another file has the name, or `errno` prevents its restoration. */
  blocked: 2,
  /** The file is gone with all its names: only a new socket can be bound. */
  lost: 3,
} as const;

/** The first code of an event. */
export const FIRST_EVENT = 100;

/** 0xffffffff: leaves mode, uid, gid or umask unchanged. */
export const UNCHANGED = 0xffffffff;
/** `spawn.limits`: no limit. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;
/** `spawn.oomScore`: the one that the keeper was started with. */
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
/** `bytes` may be given as text, which is sent as UTF-8. */
type SentValue = Omit<FieldValue, "bytes"> & { bytes: Uint8Array | string };
type SentFields<F extends Readonly<Record<string, FieldType>>> = { [K in keyof F]: SentValue[F[K]] };

type Commands = typeof COMMANDS;
type Messages = typeof MESSAGES;
export type CommandKind = keyof Commands;
export type MessageKind = keyof Messages;

/** A command as a value: `{ kind: "signal", worker: 3, signal: 15, group: 0 }`. */
export type Command = { [K in CommandKind]: { readonly kind: K } & Fields<Commands[K]["fields"]> }[CommandKind];
/** A command as it is given to be sent. */
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
/** Messages outside the sequence of events. */
export type Greeting = Extract<Body, { kind: HelloKind }>;
/** An event as a value, with its number and its two times (CLOCK_MONOTONIC, ms). */
export type KeeperEvent = Extract<Body, { kind: EventKind }> & {
  readonly seq: number;
  readonly happenedAt: number;
  readonly deliveredAt: number;
};
export type Message = Greeting | KeeperEvent;
