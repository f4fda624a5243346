// Descriptions of commands without deaths and upgrades, so that a disturbed life can be compared with an undisturbed
// one. Event numbers are left out too, because deaths and upgrades are events that shift them.
import type { Command } from "../../../src/keeper/protocol.ts";

const decoder = new TextDecoder();

/** The command as text; null if it reports what happened to crank itself. */
export const describeUndisturbed = (command: Command): string | null => {
  const text = describeCommand(command.kind === "keepDescriptor" ? { ...command, event: 0 } : command);
  if (command.kind !== "write") return text;
  if (text.includes('\\"method\\":\\"happening\\"')) return null;
  return text.replace(/\\"(seq|first|next)\\":\d+/g, '\\"$1\\":0');
};

/** The command as text. */
export const describeCommand = (command: Command): string =>
  JSON.stringify(command, (_, value) => (value instanceof Uint8Array ? decoder.decode(value) : value));
