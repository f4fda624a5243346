// The journal file that a simulated keeper leaves when it is killed, in the real format
// (docs/reference/keeper-protocol.md, "The journal"): all entries, and the commands of the last batch if they may or
// may not have been carried out.
import { checksum, type ListedCommand } from "../../src/keeper/journal.ts";
import { COMMANDS, type Command } from "../../src/keeper/protocol.ts";

const VERSION = 1;
const RECORD = { batch: 1, entry: 3, numbers: 4 } as const;

export type LeftJournal = {
  readonly bootId: string;
  readonly pid: number;
  readonly writtenAt: number;
  readonly batch: number;
  readonly consumed: number;
  readonly entries: ReadonlyMap<string, Uint8Array>;
  readonly unconfirmed: readonly Command[];
};

/** The file's bytes. */
export const encodeJournal = (left: LeftJournal): Uint8Array => {
  const { bootId, pid, writtenAt, batch, consumed, entries, unconfirmed } = left;
  const commands = unconfirmed.map(listed).flatMap(({ code, id }) => [code, ...u64(id)]);
  const records = [
    [RECORD.numbers, ...u64(batch), ...u64(consumed)],
    ...[...entries].map(([key, value]) => [RECORD.entry, ...text(key), ...u32(value.length), ...value]),
    [RECORD.batch, ...u64(batch), ...u64(consumed), ...u32(0), ...u32(unconfirmed.length), ...commands],
  ];
  const header = framed([...text(bootId), ...u32(pid), ...u64(writtenAt)]);
  return new Uint8Array([...encoder.encode("crankjnl"), ...u32(VERSION), ...header, ...records.flatMap(framed)]);
};

const listed = (command: Command): ListedCommand => ({ code: COMMANDS[command.kind].code, id: idOf(command) });

const idOf = (command: Command): number => {
  if ("worker" in command) return command.worker;
  if ("handle" in command) return command.handle;
  return "connection" in command ? command.connection : 0;
};

const encoder = new TextEncoder();
const u32 = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
const u64 = (value: number): number[] => [...u32(value >>> 0), ...u32(Math.floor(value / 2 ** 32))];
const text = (value: string): number[] => {
  const bytes = encoder.encode(value);
  return [...u32(bytes.length), ...bytes];
};
const framed = (body: readonly number[]): number[] => [
  ...u32(body.length),
  ...u32(checksum(new Uint8Array(body))),
  ...body,
];
