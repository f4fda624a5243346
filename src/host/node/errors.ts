// Node's errors as the host's.
import { HostError, hostError } from "../errors.ts";

/** The result of `act`. Throws HostError if the system refuses. */
export const asHost = <T>(call: string, subject: string | undefined, act: () => T): T => {
  try {
    return act();
  } catch (error) {
    throw asHostError(error, call, subject);
  }
};

export const asHostError = (error: unknown, call: string, subject?: string): HostError =>
  error instanceof HostError ? error : hostError(codeOf(error), call, subject, error);

export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
