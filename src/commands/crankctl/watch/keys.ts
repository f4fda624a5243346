// What keys mean, and which requests they send. Requests that stop workers are confirmed first.
import type { Client } from "../../../control/client.ts";
import { escapeControls } from "../../terminal.ts";
import { readyIn, type ServiceView } from "./model.ts";

export type Key = "up" | "down" | "enter" | "back" | "quit" | "suspend" | Order | "yes" | "other";
export type Order = "reload" | "rollback" | "more" | "fewer";

const KEYS: Readonly<Record<string, Key>> = {
  "\x1b[A": "up",
  "\x1bOA": "up",
  k: "up",
  "\x1b[B": "down",
  "\x1bOB": "down",
  j: "down",
  "\r": "enter",
  "\n": "enter",
  "\x1b": "back",
  "\x7f": "back",
  "\b": "back",
  q: "quit",
  "\x03": "quit",
  "\x1a": "suspend",
  r: "reload",
  b: "rollback",
  "+": "more",
  "=": "more",
  "-": "fewer",
  y: "yes",
};

/** The keys in the input of a terminal. An unknown sequence is one key, so that its letters are not taken as keys. */
export const keysIn = (text: string): readonly Key[] =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what keys send
  [...text.matchAll(/\x1b\[[0-9;?]*[ -/]*[@-~]|\x1bO.|\x1b[^[O\x1b]|./gsu)].map(([key]) => KEYS[key] ?? "other");

/** Whether a key sends a request, and does not only move. */
export const isOrder = (key: Key): key is Order =>
  key === "reload" || key === "rollback" || key === "more" || key === "fewer";

/** The question to ask first; null: no question, because the request is harmless. */
export const questionOf = (order: Order, view: ServiceView): string | null => {
  const name = escapeControls(view.name);
  const wanted = view.status?.instances ?? 0;
  switch (order) {
    case "reload":
      return `Replace the ${readyIn(view)} workers of ${name}? y/n`;
    case "rollback":
      return `Roll ${name} back to the generation before ${view.status?.generation ?? "?"}? y/n`;
    case "fewer":
      return `Stop one of the ${wanted} workers of ${name}? y/n`;
    case "more":
      return null;
  }
};

/** Sends the request and returns the result as text. The caller escapes crank's text. */
export const perform =
  (order: Order) =>
  async (client: Client): Promise<string> => {
    if (order === "more" || order === "fewer") {
      const { from, to } = await client.call("scale", { by: order === "more" ? 1 : -1 });
      return `Scaled from ${from} to ${to}`;
    }
    const { generation } = await client.call(order, {});
    return `Rolling out generation ${generation}`;
  };
