/* Written by tools/write-keeper-protocol.ts from src/keeper/protocol.ts, which says what each frame means. */
#pragma once

#define PROTOCOL_VERSION 3

/* clang-format off */
/* The frames: X(name, code, fields), where the fields call FIELD(type, name). See frames.h.
 * From the supervisor to the keeper. */
#define COMMANDS(COMMAND) \
  COMMAND(attach, 1, FIELD(u32, protocol)) \
  COMMAND(commit, 2, FIELD(u64, consumed) FIELD(u64, tick_at)) \
  COMMAND(idle, 3, FIELD(u64, seen)) \
  COMMAND(present, 4, ) \
  COMMAND(base, 5, FIELD(texts, environment) FIELD(text, cwd) FIELD(u32, umask) FIELD(i32, nice) FIELD(numbers, limits)) \
  COMMAND(put, 10, FIELD(text, key) FIELD(bytes, value)) \
  COMMAND(remove, 11, FIELD(text, key)) \
  COMMAND(openJournal, 12, FIELD(text, path)) \
  COMMAND(lock, 13, FIELD(u64, id) FIELD(text, path)) \
  COMMAND(copyJournal, 14, FIELD(u64, handle)) \
  COMMAND(takeJournal, 15, FIELD(text, path)) \
  COMMAND(openSocket, 20, FIELD(u64, handle) FIELD(u32, domain) FIELD(u32, type) FIELD(u32, protocol) FIELD(bytes, address) FIELD(numbers, options) FIELD(u32, backlog) FIELD(u32, mode) FIELD(u32, uid) FIELD(u32, gid)) \
  COMMAND(inheritSocket, 21, FIELD(u64, handle) FIELD(u32, fd) FIELD(u32, backlog)) \
  COMMAND(statSocket, 23, FIELD(u64, request) FIELD(u64, handle)) \
  COMMAND(closeHandle, 24, FIELD(u64, handle)) \
  COMMAND(openDatagram, 25, FIELD(u64, handle) FIELD(u32, domain) FIELD(bytes, address)) \
  COMMAND(sendDatagram, 26, FIELD(u64, handle) FIELD(u64, worker) FIELD(bytes, bytes) FIELD(numbers, handles)) \
  COMMAND(keepDescriptor, 27, FIELD(u64, event) FIELD(u32, index) FIELD(u64, handle)) \
  COMMAND(takeDescriptor, 28, FIELD(u64, handle) FIELD(u32, pid) FIELD(u64, start_time) FIELD(u32, fd) FIELD(u32, uid) FIELD(u32, gid)) \
  COMMAND(storeHandle, 30, FIELD(u64, handle) FIELD(u8, poll)) \
  COMMAND(sendDescriptors, 31, FIELD(u64, worker) FIELD(bytes, bytes) FIELD(numbers, handles)) \
  COMMAND(watchName, 32, FIELD(u64, handle) FIELD(text, spare)) \
  COMMAND(removeName, 33, FIELD(u64, handle)) \
  COMMAND(giveName, 34, FIELD(u64, handle) FIELD(u32, uid) FIELD(u32, gid)) \
  COMMAND(bindAgain, 35, FIELD(u64, handle) FIELD(u64, kept)) \
  COMMAND(keepBacklog, 36, FIELD(u64, handle) FIELD(u32, backlog)) \
  COMMAND(spawn, 40, FIELD(u64, worker) FIELD(text, file) FIELD(texts, args) FIELD(text, cwd) FIELD(pairs, env) FIELD(texts, unset) FIELD(texts, own_pid) FIELD(numbers, descriptors) FIELD(u8, input) FIELD(u8, output) FIELD(u32, notify_fd) FIELD(text, notify_path) FIELD(numbers, identity) FIELD(u32, umask) FIELD(numbers, limits) FIELD(i32, nice) FIELD(i32, oom_score) FIELD(u32, death_signal) FIELD(u32, flags) FIELD(text, prefix) FIELD(text, json) FIELD(u32, connect_fd) FIELD(text, connect_path)) \
  COMMAND(signal, 41, FIELD(u64, worker) FIELD(u32, signal) FIELD(u8, group)) \
  COMMAND(adopt, 42, FIELD(u64, worker) FIELD(u32, pid) FIELD(u64, start_time) FIELD(u32, keeper) FIELD(u64, generation) FIELD(u32, flags) FIELD(u32, output) FIELD(u32, notify_fd) FIELD(text, notify_path) FIELD(numbers, identity) FIELD(text, prefix) FIELD(text, json)) \
  COMMAND(setBase, 43, FIELD(pairs, env) FIELD(texts, unset)) \
  COMMAND(watchdog, 44, FIELD(u64, worker) FIELD(u32, period_ms)) \
  COMMAND(followMain, 45, FIELD(u64, worker) FIELD(u32, pid) FIELD(u64, start_time)) \
  COMMAND(acceptOn, 50, FIELD(u64, handle)) \
  COMMAND(write, 51, FIELD(u64, connection) FIELD(bytes, bytes) FIELD(u8, close)) \
  COMMAND(follow, 52, FIELD(u64, connection) FIELD(u64, worker) FIELD(u32, lines) FIELD(u8, follow)) \
  COMMAND(acceptHeads, 53, FIELD(u64, handle)) \
  COMMAND(routeOutput, 60, FIELD(u8, format) FIELD(u8, sink) FIELD(bytes, address) FIELD(text, header)) \
  COMMAND(log, 61, FIELD(u8, sink) FIELD(bytes, bytes)) \
  COMMAND(heartbeat, 62, FIELD(u64, handle) FIELD(u32, period_ms) FIELD(bytes, bytes)) \
  COMMAND(barrier, 70, FIELD(u64, token)) \
  COMMAND(setProgram, 71, FIELD(text, runtime) FIELD(text, bundle)) \
  COMMAND(execute, 72, FIELD(text, path)) \
  COMMAND(exit, 73, FIELD(u32, status) FIELD(u8, keep_journal)) \
  COMMAND(replaceSupervisor, 74, FIELD(text, runtime) FIELD(text, bundle) FIELD(text, file) FIELD(texts, args) FIELD(texts, unset) FIELD(u32, fd) FIELD(u32, patience_ms)) \
  COMMAND(rehearse, 75, FIELD(text, path)) \
  COMMAND(mark, 76, FIELD(u64, token)) \
  COMMAND(setTitle, 77, FIELD(text, title))

/* From the keeper to the supervisor, each by itself. */
#define GREETINGS(GREETING) \
  GREETING(hello, 1, FIELD(u32, protocol) FIELD(text, version) FIELD(u32, pid) FIELD(u64, started_at) FIELD(u64, now) FIELD(u64, realtime_offset) FIELD(text, boot_id) FIELD(text, home) FIELD(text, cwd) FIELD(texts, args) FIELD(text, program) FIELD(u8, fresh) FIELD(u32, crashes) FIELD(u64, consumed) FIELD(u32, executions) FIELD(text, path)) \
  GREETING(helloEntry, 2, FIELD(text, key) FIELD(bytes, value)) \
  GREETING(helloWorker, 3, FIELD(u64, worker) FIELD(u32, pid) FIELD(u64, start_time) FIELD(u8, state)) \
  GREETING(helloHandle, 4, FIELD(u64, handle) FIELD(u64, inode) FIELD(bytes, address)) \
  GREETING(helloConnection, 5, FIELD(u64, connection) FIELD(u64, listener) FIELD(u32, pid) FIELD(u32, uid) FIELD(u32, gid)) \
  GREETING(helloEnd, 6, FIELD(u32, outstanding)) \
  GREETING(sleep, 7, ) \
  GREETING(helloZone, 8, FIELD(i32, offset) FIELD(u64, until) FIELD(i32, next_offset))

/* From the keeper to the supervisor, with seq, happenedAt and deliveredAt before the fields. */
#define EVENTS(EVENT) \
  EVENT(tick, 100, ) \
  EVENT(signalled, 101, FIELD(u32, signal) FIELD(u32, pid) FIELD(u32, uid)) \
  EVENT(failed, 102, FIELD(u32, command) FIELD(u64, id) FIELD(text, step) FIELD(u32, error)) \
  EVENT(reached, 103, FIELD(u64, token)) \
  EVENT(supervisorDied, 104, FIELD(u8, ending) FIELD(u32, status) FIELD(u64, last_event)) \
  EVENT(quarantined, 105, FIELD(u32, event) FIELD(bytes, bytes)) \
  EVENT(journalFailed, 106, FIELD(text, step) FIELD(u32, error)) \
  EVENT(supervisorReplaced, 107, FIELD(u32, pid) FIELD(u8, forked)) \
  EVENT(supervisorKept, 108, FIELD(u8, phase) FIELD(u8, ending) FIELD(u32, status)) \
  EVENT(rehearsed, 109, FIELD(text, step) FIELD(u32, error) FIELD(u8, ending) FIELD(u32, status)) \
  EVENT(opened, 110, FIELD(u64, handle) FIELD(u32, domain) FIELD(u32, type) FIELD(u8, listening) FIELD(u32, limit) FIELD(u64, inode) FIELD(bytes, address)) \
  EVENT(socketStat, 111, FIELD(u64, request) FIELD(u64, handle) FIELD(u32, queue) FIELD(u32, limit)) \
  EVENT(relistened, 112, FIELD(u64, handle) FIELD(u32, error)) \
  EVENT(hungUp, 113, FIELD(u64, handle)) \
  EVENT(journalRestored, 114, FIELD(u64, after_ms)) \
  EVENT(nameChanged, 115, FIELD(u64, handle) FIELD(u8, state) FIELD(u32, pid) FIELD(u32, error)) \
  EVENT(backlogRestored, 116, FIELD(u64, handle) FIELD(u32, before) FIELD(u32, after)) \
  EVENT(spawned, 120, FIELD(u64, worker) FIELD(u32, pid) FIELD(u64, start_time)) \
  EVENT(spawnFailed, 121, FIELD(u64, worker) FIELD(text, step) FIELD(u32, error)) \
  EVENT(exited, 122, FIELD(u64, worker) FIELD(u32, pid) FIELD(u8, ending) FIELD(u32, status) FIELD(bytes, tail)) \
  EVENT(moved, 123, FIELD(u64, worker) FIELD(u32, pid) FIELD(u64, start_time)) \
  EVENT(mainExited, 124, FIELD(u64, worker) FIELD(u32, pid) FIELD(u8, ending) FIELD(u32, status) FIELD(u32, rest)) \
  EVENT(killed, 125, FIELD(u64, worker) FIELD(u32, count) FIELD(numbers, pids) FIELD(texts, commands)) \
  EVENT(datagram, 130, FIELD(u64, worker) FIELD(u8, source) FIELD(u32, pid) FIELD(u32, uid) FIELD(u32, gid) FIELD(u32, flags) FIELD(u32, descriptors) FIELD(bytes, bytes)) \
  EVENT(descriptorsSent, 131, FIELD(u64, worker)) \
  EVENT(watchdogExpired, 132, FIELD(u64, worker) FIELD(u32, period_ms) FIELD(u32, strangers) FIELD(u32, stranger)) \
  EVENT(line, 140, FIELD(u64, connection) FIELD(u64, listener) FIELD(u32, pid) FIELD(u32, uid) FIELD(u32, gid) FIELD(bytes, bytes)) \
  EVENT(closed, 141, FIELD(u64, connection) FIELD(u8, reason)) \
  EVENT(penalized, 142, FIELD(text, address) FIELD(u32, times) FIELD(u32, wait_ms))
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
enum message { GREETINGS(NAME_MESSAGE) EVENTS(NAME_MESSAGE) };
#undef NAME_MESSAGE
