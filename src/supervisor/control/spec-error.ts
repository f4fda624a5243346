// The error for a request that cannot be deployed.

/** A request that cannot be carried out; the message is the sentence for the client. */
export class SpecError extends Error {
  override name = "SpecError";
}
