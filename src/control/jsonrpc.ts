// JSON-RPC 2.0 on single lines: parses lines from clients and from crank, and writes both.
// schemas.ts checks the parameters of the methods.
import { ANSWER_LISTS, JsonTooDeepError, parseFlatJson, parseJson, REQUEST_LISTS } from "./json.ts";
import { ERROR_CODES, type Method, type Methods, type RpcError } from "./messages.ts";

export type RpcId = string | number | null;

/**
 * A line from a client. `foreign`: no JSON-RPC at all, so a dialect may know it (`text`: null if it is not UTF-8);
 * `reply` is what to answer if none does. `broken`: meant as JSON-RPC, and `reply` says what is wrong with it.
 */
export type ClientLine =
  | { readonly kind: "request"; readonly id: RpcId; readonly method: string; readonly params: unknown }
  | { readonly kind: "notification"; readonly method: string; readonly params: unknown }
  | { readonly kind: "foreign"; readonly text: string | null; readonly reply: string }
  | { readonly kind: "broken"; readonly reply: string };

/** A line from crank. `other`: not JSON-RPC. */
export type ServerLine =
  | { readonly kind: "result"; readonly id: RpcId; readonly result: unknown }
  | { readonly kind: "error"; readonly id: RpcId; readonly error: RpcError }
  | { readonly kind: "notification"; readonly method: string; readonly params: unknown }
  | { readonly kind: "other"; readonly text: string };

const MAX_ID_LENGTH = 128;

/** Parses a line from a client, without its newline. Never throws. */
export const parseClientLine = (line: Uint8Array): ClientLine => {
  const text = decode(line);
  if (text === null) return foreign(null, "the line is not valid UTF-8");
  const value = parse(text);
  if (value instanceof JsonTooDeepError) return broken(value.message);
  if (value === undefined) return foreign(text, "the line is not valid JSON");
  if (Array.isArray(value)) {
    if (!value.some((item) => isObject(item) && "jsonrpc" in item)) return foreign(text, NO_REQUEST);
    return broken("batches are not supported: send each request on its own line");
  }
  if (!isObject(value) || !("jsonrpc" in value || "method" in value)) return foreign(text, NO_REQUEST);
  return request(value);
};

/** Parses a line from crank. Never throws. */
export const parseServerLine = (line: Uint8Array): ServerLine => {
  const text = decode(line) ?? new TextDecoder().decode(line);
  const value = parseFlatJson(text, ANSWER_LISTS);
  if (!isObject(value)) return { kind: "other", text };
  const id = readId(value.id) ?? null;
  if ("result" in value) return { kind: "result", id, result: value.result };
  const error = value.error;
  if (isObject(error)) return { kind: "error", id, error: readError(error) };
  if (typeof value.method === "string") return { kind: "notification", method: value.method, params: value.params };
  return { kind: "other", text };
};

/** A request as a line, newline included. */
export const encodeRequest = <M extends Method>(id: RpcId, method: M, params: Methods[M]["params"]): string =>
  `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;

/** The answer to a request as a line, newline included. */
export const encodeResult = <M extends Method>(id: RpcId, result: Methods[M]["result"]): string =>
  `${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`;

/** An answer that is already JSON, `{"result":…}` or `{"error":…}`, as a line. */
export const encodeAnswer = (id: RpcId, answer: string): string =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},${answer.slice(1)}\n`;

/** A refusal or failure as a line, newline included. `id` null: the request could not be parsed. */
export const encodeError = (id: RpcId, error: RpcError): string => `${JSON.stringify({ jsonrpc: "2.0", id, error })}\n`;

const NO_REQUEST = "the line is not a JSON-RPC 2.0 request";

const foreign = (text: string | null, message: string): ClientLine => {
  const code = message === NO_REQUEST ? ERROR_CODES.invalidRequest : ERROR_CODES.parse;
  return { kind: "foreign", text, reply: encodeError(null, { code, message }) };
};

const broken = (message: string, id: RpcId = null): ClientLine => ({
  kind: "broken",
  reply: encodeError(id, { code: ERROR_CODES.invalidRequest, message }),
});

const request = (value: Readonly<Record<string, unknown>>): ClientLine => {
  const id = "id" in value ? readId(value.id) : undefined;
  if ("id" in value && id === undefined)
    return broken(`id must be a string of at most ${MAX_ID_LENGTH} characters, a number or null`);
  if (value.jsonrpc !== "2.0") return broken('jsonrpc must be "2.0"', id);
  const { method, params } = value;
  if (typeof method !== "string") return broken("method must be a string", id);
  return id === undefined ? { kind: "notification", method, params } : { kind: "request", id, method, params };
};

const readId = (value: unknown): RpcId | undefined => {
  if (value === null || typeof value === "number") return value;
  return typeof value === "string" && value.length <= MAX_ID_LENGTH ? value : undefined;
};

const readError = (error: Readonly<Record<string, unknown>>): RpcError => {
  const { code, message, data } = error;
  return {
    code: typeof code === "number" ? code : ERROR_CODES.internal,
    message: typeof message === "string" ? message : "crank sent an error without a message",
    // crank is trusted to send FailureData here: the socket's owner was checked by the kernel when it was opened.
    ...(isObject(data) ? { data: data as RpcError["data"] & object } : {}),
  };
};

const decoder = new TextDecoder("utf-8", { fatal: true });

const decode = (bytes: Uint8Array): string | null => {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
};

const parse = (text: string): unknown => {
  try {
    return parseJson(text, REQUEST_LISTS);
  } catch (error) {
    return error;
  }
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
