// The settings of crank/register: environment variables, because the application is unchanged.
import process from "node:process";
import type { DrainOptions } from "../drain.ts";

/** A port that the application listens on, and the name of crank's socket for it; null: chosen by port, then by order. */
export type WantedPort = { readonly port: number; readonly socket: string | null };

export type RegisterSettings = {
  /** Which ports take a socket of crank; null: all, as long as there are sockets. */
  readonly ports: readonly WantedPort[] | null;
  /** When the application's own listeners to the stop signal are called. */
  readonly ownHandlers: "after the drain" | "at once";
  readonly drain: Pick<DrainOptions, "spreadMs" | "graceMs" | "closeCode" | "reason">;
};

/** Throws if a variable cannot be understood. */
export const registerSettings = (): RegisterSettings => ({
  ports: wantedPorts(),
  ownHandlers: ownHandlers(),
  drain: {
    ...number("spreadMs", "CRANK_DRAIN_SPREAD_MS"),
    ...number("graceMs", "CRANK_DRAIN_GRACE_MS"),
    ...number("closeCode", "CRANK_DRAIN_CLOSE_CODE"),
    ...(process.env.CRANK_DRAIN_REASON !== undefined && { reason: process.env.CRANK_DRAIN_REASON }),
  },
});

const ownHandlers = (): RegisterSettings["ownHandlers"] => {
  const text = process.env.CRANK_SIGNAL_HANDLERS ?? "";
  if (text === "" || text === "after-drain") return "after the drain";
  if (text === "at-once") return "at once";
  throw new Error(`CRANK_SIGNAL_HANDLERS must be at-once or after-drain, not ${JSON.stringify(text)}`);
};

const number = <K extends string>(key: K, variable: string): { readonly [P in K]?: number } => {
  const text = process.env[variable];
  if (text === undefined || text === "") return {};
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${variable} must be a whole number, not ${JSON.stringify(text)}`);
  // The one key is K; TypeScript widens computed keys to string.
  return { [key]: Number(text) } as { readonly [P in K]: number };
};

/** Reads `PORT[=NAME],…`. */
const wantedPorts = (): readonly WantedPort[] | null => {
  const text = process.env.CRANK_LISTEN;
  if (text === undefined || text === "") return null;
  return text.split(",").map((word) => {
    const [, port, name] = /^\s*(\d{1,5})(?:=(\S+))?\s*$/.exec(word) ?? [];
    if (port === undefined)
      throw new Error(`CRANK_LISTEN: ${JSON.stringify(word)} is not PORT or PORT=NAME, as in 3000 or 3000=main`);
    return { port: Number(port), socket: name ?? null };
  });
};
