// The sentence for an event of any kind.

import type { EventEntry } from "../../../control/messages.ts";
import { describeSupervisorEvent, isSupervisorEvent } from "../../../control/supervisor-event-text.ts";
import { describeServiceEvent } from "../../../core/describe.ts";

/** One line, not escaped. A later crank may send unknown kinds. */
export const describeEvent = (event: EventEntry): string => {
  const sentence: string | undefined = isSupervisorEvent(event)
    ? describeSupervisorEvent(event)
    : describeServiceEvent(event);
  return sentence ?? `${event.kind}, an event that this crankctl does not know; -json shows it`;
};
