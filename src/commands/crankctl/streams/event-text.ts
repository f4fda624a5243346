// The sentence for an event of any kind.
import { describeHappening, isHappening } from "../../../control/happenings.ts";
import type { EventEntry } from "../../../control/messages.ts";
import { describeNote } from "../../../core/describe.ts";

/** One line, not escaped. A later crank may send kinds that this crankctl does not know. */
export const describeEvent = (event: EventEntry): string => {
  const sentence: string | undefined = isHappening(event) ? describeHappening(event) : describeNote(event);
  return sentence ?? `${event.kind}, of which this crankctl knows nothing; -json shows it`;
};
