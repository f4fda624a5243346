// Requests that an earlier crank refuses because of an unknown parameter: they are sent again without it.
// The types of its answers lack the missing fields.
import { CallError, type Client } from "../../../control/client.ts";
import { ERROR_CODES, type Methods } from "../../../control/messages.ts";

type Measurable = "ps" | "status";

/** Requests workers with their usage, or without it if crank cannot measure yet. Throws as `call` does. */
export const measured = async <M extends Measurable>(
  client: Pick<Client, "call">,
  method: M,
  params: Omit<Methods[M]["params"], "measure">,
): Promise<Methods[M]["result"]> => {
  try {
    return await client.call(method, { ...params, measure: true });
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return client.call(method, params);
  }
};

const isUnknown = (error: unknown): boolean =>
  error instanceof CallError && error.code === ERROR_CODES.invalidParams && error.message.includes('"measure"');
