// The listening sockets of crank, by name or by order.
import { ownDescriptors, type PassedSocket } from "./environment.ts";

/** An address of the program's own, for when no socket was passed on: a run without crank. */
export type OwnAddress = { readonly port: number; readonly host?: string };

/** What a server is to listen on. */
export type ListeningSocket = PassedSocket | OwnAddress;

/**
 * The sockets that crank passed on, in the order of its `-bind`s; with `which`, those of this name, or the one with this
 * number (from 0). `fallback` is used if crank passed none. Throws if there is none then, and if they
 * were passed to another process, such as a wrapper that started this one.
 */
export const sockets = (which?: string | number, fallback?: OwnAddress): readonly ListeningSocket[] => {
  const { sockets: passed, whyNoSockets } = ownDescriptors();
  if (which === undefined && (passed.length > 0 || !fallback)) return passed;
  if (passed.length === 0 && fallback) return [fallback];
  const chosen = passed.filter(({ name }, index) => which === name || which === index);
  if (chosen.length > 0) return chosen;
  const there = passed.map(({ name }) => name).join(", ");
  const why = passed.length > 0 ? `there are: ${there}` : whyNoSockets || "run the program under crank, or give a port";
  throw new Error(
    `no socket ${typeof which === "number" ? `number ${which}` : `named ${which}`} was passed on; ${why}`,
  );
};
