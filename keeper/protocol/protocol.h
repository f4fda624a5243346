/* Written by tools/write-keeper-protocol.ts from src/keeper/protocol.ts, which says what each frame means. */
#pragma once

#define PROTOCOL_VERSION 3
#define FIRST_EVENT 100

/* clang-format off */
/* From the supervisor to the keeper. */
#define COMMANDS(COMMAND) \
  COMMAND(attach, 1, "protocol:u32") \
  COMMAND(commit, 2, "consumed:u64 tickAt:u64") \
  COMMAND(idle, 3, "seen:u64") \
  COMMAND(present, 4, "") \
  COMMAND(base, 5, "environment:texts cwd:text umask:u32 nice:i32 limits:numbers") \
  COMMAND(put, 10, "key:text value:bytes") \
  COMMAND(remove, 11, "key:text") \
  COMMAND(openJournal, 12, "path:text") \
  COMMAND(lock, 13, "id:u64 path:text") \
  COMMAND(copyJournal, 14, "handle:u64") \
  COMMAND(takeJournal, 15, "path:text") \
  COMMAND(openSocket, 20, "handle:u64 domain:u32 type:u32 protocol:u32 address:bytes options:numbers backlog:u32 mode:u32 uid:u32 gid:u32") \
  COMMAND(inheritSocket, 21, "handle:u64 fd:u32 backlog:u32") \
  COMMAND(statSocket, 23, "request:u64 handle:u64") \
  COMMAND(closeHandle, 24, "handle:u64") \
  COMMAND(openDatagram, 25, "handle:u64 domain:u32 address:bytes") \
  COMMAND(sendDatagram, 26, "handle:u64 worker:u64 bytes:bytes handles:numbers") \
  COMMAND(keepDescriptor, 27, "event:u64 index:u32 handle:u64") \
  COMMAND(takeDescriptor, 28, "handle:u64 pid:u32 startTime:u64 fd:u32 uid:u32 gid:u32") \
  COMMAND(storeHandle, 30, "handle:u64 poll:u8") \
  COMMAND(hand, 31, "worker:u64 bytes:bytes handles:numbers") \
  COMMAND(watchName, 32, "handle:u64 spare:text") \
  COMMAND(removeName, 33, "handle:u64") \
  COMMAND(giveName, 34, "handle:u64 uid:u32 gid:u32") \
  COMMAND(bindAgain, 35, "handle:u64 kept:u64") \
  COMMAND(keepBacklog, 36, "handle:u64 backlog:u32") \
  COMMAND(spawn, 40, "worker:u64 file:text args:texts cwd:text env:pairs unset:texts ownPid:texts descriptors:numbers stdin:u8 output:u8 notifyFd:u32 notifyPath:text identity:numbers umask:u32 limits:numbers nice:i32 oomScore:i32 deathSignal:u32 flags:u32 prefix:text json:text connectFd:u32 connectPath:text") \
  COMMAND(signal, 41, "worker:u64 signal:u32 group:u8") \
  COMMAND(adopt, 42, "worker:u64 pid:u32 startTime:u64 keeper:u32 generation:u64 flags:u32 output:u32 notifyFd:u32 notifyPath:text identity:numbers prefix:text json:text") \
  COMMAND(setBase, 43, "env:pairs unset:texts") \
  COMMAND(watchdog, 44, "worker:u64 periodMs:u32") \
  COMMAND(followMain, 45, "worker:u64 pid:u32 startTime:u64") \
  COMMAND(acceptOn, 50, "handle:u64") \
  COMMAND(write, 51, "connection:u64 bytes:bytes close:u8") \
  COMMAND(follow, 52, "connection:u64 worker:u64 lines:u32 follow:u8") \
  COMMAND(acceptHeads, 53, "handle:u64") \
  COMMAND(routeOutput, 60, "format:u8 sink:u8 address:bytes header:text") \
  COMMAND(log, 61, "sink:u8 bytes:bytes") \
  COMMAND(heartbeat, 62, "handle:u64 periodMs:u32 bytes:bytes") \
  COMMAND(barrier, 70, "token:u64") \
  COMMAND(setProgram, 71, "runtime:text bundle:text") \
  COMMAND(execute, 72, "path:text") \
  COMMAND(exit, 73, "status:u32 keepJournal:u8") \
  COMMAND(replaceSupervisor, 74, "runtime:text bundle:text file:text args:texts unset:texts fd:u32 patienceMs:u32") \
  COMMAND(rehearse, 75, "path:text") \
  COMMAND(mark, 76, "token:u64") \
  COMMAND(setTitle, 77, "title:text")

/* From the keeper to the supervisor; from FIRST_EVENT on with seq, happenedAt and deliveredAt before the fields. */
#define MESSAGES(MESSAGE) \
  MESSAGE(hello, 1, "protocol:u32 version:text pid:u32 startedAt:u64 now:u64 realtimeOffset:u64 bootId:text home:text cwd:text args:texts program:text fresh:u8 crashes:u32 consumed:u64 executions:u32 path:text") \
  MESSAGE(helloEntry, 2, "key:text value:bytes") \
  MESSAGE(helloWorker, 3, "worker:u64 pid:u32 startTime:u64 state:u8") \
  MESSAGE(helloHandle, 4, "handle:u64 inode:u64 address:bytes") \
  MESSAGE(helloConnection, 5, "connection:u64 listener:u64 pid:u32 uid:u32 gid:u32") \
  MESSAGE(helloEnd, 6, "outstanding:u32") \
  MESSAGE(sleep, 7, "") \
  MESSAGE(helloZone, 8, "offset:i32 until:u64 nextOffset:i32") \
  MESSAGE(tick, 100, "") \
  MESSAGE(signalled, 101, "signal:u32 pid:u32 uid:u32") \
  MESSAGE(failed, 102, "command:u32 id:u64 step:text errno:u32") \
  MESSAGE(reached, 103, "token:u64") \
  MESSAGE(supervisorDied, 104, "ending:u8 status:u32 lastEvent:u64") \
  MESSAGE(setAside, 105, "event:u32 bytes:bytes") \
  MESSAGE(journalFailed, 106, "step:text errno:u32") \
  MESSAGE(supervisorReplaced, 107, "pid:u32 forked:u8") \
  MESSAGE(supervisorKept, 108, "phase:u8 ending:u8 status:u32") \
  MESSAGE(rehearsed, 109, "step:text errno:u32 ending:u8 status:u32") \
  MESSAGE(opened, 110, "handle:u64 domain:u32 type:u32 listening:u8 limit:u32 inode:u64 address:bytes") \
  MESSAGE(socketStat, 111, "request:u64 handle:u64 queue:u32 limit:u32") \
  MESSAGE(relistened, 112, "handle:u64 errno:u32") \
  MESSAGE(hungUp, 113, "handle:u64") \
  MESSAGE(journalRestored, 114, "afterMs:u64") \
  MESSAGE(nameChanged, 115, "handle:u64 state:u8 pid:u32 errno:u32") \
  MESSAGE(backlogRestored, 116, "handle:u64 before:u32 after:u32") \
  MESSAGE(spawned, 120, "worker:u64 pid:u32 startTime:u64") \
  MESSAGE(spawnFailed, 121, "worker:u64 step:text errno:u32") \
  MESSAGE(exited, 122, "worker:u64 pid:u32 ending:u8 status:u32 tail:bytes") \
  MESSAGE(moved, 123, "worker:u64 pid:u32 startTime:u64") \
  MESSAGE(mainExited, 124, "worker:u64 pid:u32 ending:u8 status:u32 rest:u32") \
  MESSAGE(killed, 125, "worker:u64 count:u32 pids:numbers commands:texts") \
  MESSAGE(datagram, 130, "worker:u64 source:u8 pid:u32 uid:u32 gid:u32 flags:u32 descriptors:u32 bytes:bytes") \
  MESSAGE(handed, 131, "worker:u64") \
  MESSAGE(watchdogExpired, 132, "worker:u64 periodMs:u32 strangers:u32 stranger:u32") \
  MESSAGE(line, 140, "connection:u64 listener:u64 pid:u32 uid:u32 gid:u32 bytes:bytes") \
  MESSAGE(closed, 141, "connection:u64 reason:u8") \
  MESSAGE(penalized, 142, "address:text times:u32 waitMs:u32")
/* clang-format on */

/* Bytes and counts. */
#define LIMIT_FRAME_BYTES 8388608
#define LIMIT_BATCH_BYTES 16777216
#define LIMIT_LINE_BYTES 1048576
#define LIMIT_DATAGRAM_BYTES 8192
#define LIMIT_CONNECTIONS 1024
#define LIMIT_CONNECTION_OUTPUT_BYTES 8388608
#define LIMIT_KEY_BYTES 128
#define LIMIT_TAIL_BYTES 8192

/* Bits of spawn.flags and adopt.flags. */
#define SPAWN_GROUP 1
#define SPAWN_HELPER 4
#define SPAWN_NICE_LEVEL 8
#define SPAWN_NO_NEW_PRIVS 32

/* nameChanged.state. */
#define NAME_RESTORED 0
#define NAME_TAKEN 1
#define NAME_BLOCKED 2
#define NAME_LOST 3

#define UNCHANGED 4294967295U
#define NO_LIMIT 9007199254740991ULL
#define INHERITED_OOM_SCORE 2147483647

#define NAME_COMMAND(name, code, fields) COMMAND_##name = code,
enum command { COMMANDS(NAME_COMMAND) };
#undef NAME_COMMAND
#define NAME_MESSAGE(name, code, fields) MESSAGE_##name = code,
enum message { MESSAGES(NAME_MESSAGE) };
#undef NAME_MESSAGE
