// The metrics socket: HTTP requests and their answers. The keeper delivers a request's first line when its head is
// complete. Each connection is for one request, and the number of waiting ones is limited.
import { byteLength } from "../../host/bytes.ts";
import type { KeeperEvent } from "../../keeper/protocol.ts";
import type { Pending } from "../state/parts/pending.ts";
import { forgetPending, nextRequest, savePending } from "../state/save.ts";
import type { Store } from "../state/store.ts";
import { beginMeasurement, isMeasured } from "./measuring.ts";
import { health, metricsText } from "./metrics.ts";

type Line = Extract<KeeperEvent, { kind: "line" }>;
type Scrape = Extract<Pending, { kind: "scrape" }>;
type Answer = {
  readonly status: number;
  readonly text: string;
  readonly type?: string;
  readonly headers?: readonly string[];
};

/** When one more comes, the oldest is answered with 503. */
const MOST_SCRAPES = 128;
/** Limit of one batch. Requests whose answers do not fit are answered with 503, and may be repeated. */
const MOST_BYTES = 8 * 1024 * 1024;

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  503: "Service Unavailable",
};
const PLAIN = "text/plain; charset=utf-8";
/** The text format of Prometheus. */
const EXPOSITION = "text/plain; version=0.0.4; charset=utf-8";

const decoder = new TextDecoder();

/** Takes a request by its first line. It is answered as soon as possible. */
export const takeRequestLine = (store: Store, event: Line): void => {
  // An earlier keeper delivers all lines of a head: those after the first are no requests.
  const isKnown = [...store.pending.values()].some(
    (pending) => pending.kind === "scrape" && pending.connection === event.connection,
  );
  if (isKnown) return;
  const text = decoder.decode(event.bytes).replace(/\r$/, "");
  const [, method = "", target = ""] = /^([!-~]+) ([!-~]+) HTTP\/1\.[01]$/.exec(text) ?? [];
  const scrape: Scrape = {
    kind: "scrape",
    connection: event.connection,
    rpc: null,
    method,
    path: target.split("?")[0] ?? "",
  };
  const request = nextRequest(store);
  const answer = target === "" ? NO_HTTP : answerAtOnce(store, scrape);
  if (answer) return answerScrape(store, request, scrape, answer);
  const others = [...store.pending].filter(([, pending]) => pending.kind === "scrape");
  const [first] = others;
  if (others.length >= MOST_SCRAPES && first?.[1].kind === "scrape") answerScrape(store, first[0], first[1], BUSY);
  savePending(store, request, scrape);
  if (isMeasured(store, event.deliveredAt)) answerScrapes(store);
  else beginMeasurement(store, event.deliveredAt, "everything");
};

const NO_HTTP: Answer = { status: 400, text: "Not an HTTP request; send GET /metrics HTTP/1.1\n" };
const BUSY: Answer = {
  status: 503,
  text: "Too many requests at the same time; retry in a moment\n",
  headers: ["Retry-After: 1"],
};

/** null: the answer needs a measurement of the workers. */
const answerAtOnce = (store: Store, { method, path }: Scrape): Answer | null => {
  if (path !== "/metrics" && path !== "/healthz") return { status: 404, text: "Not found; use /metrics or /healthz\n" };
  if (method !== "GET" && method !== "HEAD")
    return { status: 405, text: `Method not allowed; use GET ${path}\n`, headers: ["Allow: GET, HEAD"] };
  if (path === "/metrics") return null;
  const { isHealthy, sentence } = health(store);
  return { status: isHealthy ? 200 : 503, text: `${sentence}\n` };
};

/** The workers are measured: answers the requests that waited for that. */
export const answerScrapes = (store: Store): void => {
  const waiting = [...store.pending].flatMap(([request, pending]) =>
    pending.kind === "scrape" ? [{ request, pending }] : [],
  );
  if (waiting.length === 0) return;
  const answer: Answer = { status: 200, text: metricsText(store), type: EXPOSITION };
  const most = Math.max(1, Math.floor(MOST_BYTES / byteLength(answer.text)));
  for (const [index, { request, pending }] of waiting.entries())
    answerScrape(store, request, pending, index < most ? answer : BUSY);
};

const answerScrape = (store: Store, request: number, { connection, method }: Scrape, answer: Answer): void => {
  forgetPending(store, request);
  const head = [
    `HTTP/1.1 ${answer.status} ${REASONS[answer.status] ?? ""}`,
    `Content-Type: ${answer.type ?? PLAIN}`,
    `Content-Length: ${byteLength(answer.text)}`,
    "Cache-Control: no-store",
    "Connection: close",
    ...(answer.headers ?? []),
  ];
  const body = method === "HEAD" ? "" : answer.text;
  store.batch.command({ kind: "write", connection, bytes: `${head.join("\r\n")}\r\n\r\n${body}`, close: 1 });
};
