// Writes keeper/protocol/protocol.h from src/keeper/protocol.ts; the build runs it when that has changed. With --check
// it writes nothing, and ends with status 1 if the file is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import * as protocol from "../src/keeper/protocol.ts";

const PATH = "keeper/protocol/protocol.h";

type Table = Readonly<Record<string, { readonly code: number; readonly fields: Readonly<Record<string, string>> }>>;

/** `noNewPrivs` becomes NO_NEW_PRIVS. */
const upper = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** Field names that are macros of the C library. */
const RENAMED: Readonly<Record<string, string>> = { errno: "error", stdin: "input" };

/** `startTime` becomes start_time. */
const fieldName = (name: string): string => RENAMED[name] ?? upper(name).toLowerCase();

const fieldList = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(([name, type]) => `FIELD(${type}, ${fieldName(name)})`)
    .join(" ");

const byCode = (table: Table) => Object.entries(table).sort(([, a], [, b]) => a.code - b.code);

const isEvent = (code: number): boolean => code >= protocol.FIRST_EVENT;

/** A macro that calls another macro for each frame; its fields call FIELD. */
const frames = (table: Table, each: string, isMeant: (code: number) => boolean): string =>
  [
    `#define ${each}S(${each}) \\`,
    byCode(table)
      .filter(([, { code }]) => isMeant(code))
      .map(([name, { code, fields }]) => `  ${each}(${name}, ${code}, ${fieldList(fields)})`)
      .join(" \\\n"),
  ].join("\n");

const constants = (prefix: string, values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `#define ${prefix}${upper(name)} ${value}`)
    .join("\n");

const text = `/* Written by tools/write-keeper-protocol.ts from src/keeper/protocol.ts, which says what each frame means. */
#pragma once

#define PROTOCOL_VERSION ${protocol.PROTOCOL_VERSION}

/* clang-format off */
/* The frames: X(name, code, fields), where the fields call FIELD(type, name). See frames.h.
 * From the supervisor to the keeper. */
${frames(protocol.COMMANDS, "COMMAND", () => true)}

/* From the keeper to the supervisor, each by itself. */
${frames(protocol.MESSAGES, "GREETING", (code) => !isEvent(code))}

/* From the keeper to the supervisor, with seq, happenedAt and deliveredAt before the fields. */
${frames(protocol.MESSAGES, "EVENT", isEvent)}
/* clang-format on */

/* Bytes and counts. */
${constants("LIMIT_", protocol.LIMITS)}

/* Bits of spawn.flags and adopt.flags. */
${constants("SPAWN_", protocol.SPAWN_FLAGS)}

/* nameChanged.state. */
${constants("NAME_", protocol.NAME_STATES)}

#define UNCHANGED ${protocol.UNCHANGED}U
#define NO_LIMIT ${protocol.NO_LIMIT}ULL
#define INHERITED_OOM_SCORE ${protocol.INHERITED_OOM_SCORE}

#define NAME_COMMAND(name, code, fields) COMMAND_##name = code,
enum command { COMMANDS(NAME_COMMAND) };
#undef NAME_COMMAND
#define NAME_MESSAGE(name, code, fields) MESSAGE_##name = code,
enum message { GREETINGS(NAME_MESSAGE) EVENTS(NAME_MESSAGE) };
#undef NAME_MESSAGE
`;

const isUpToDate = readFileSync(PATH, "utf8") === text;
if (!process.argv.includes("--check")) {
  if (!isUpToDate) writeFileSync(PATH, text);
} else if (!isUpToDate) {
  console.error(`${PATH}: not what src/keeper/protocol.ts says; run make`);
  process.exitCode = 1;
}
