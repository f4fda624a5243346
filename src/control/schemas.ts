// The parameters of every method, with their bounds. A schema is built when its method is first called: most supervisors
// handle one event and need few of them.
import * as v from "valibot";
import { byteLength } from "../host/bytes.ts";
import { ERROR_CODES, type Method, type Methods, type RpcError } from "./messages.ts";
import type { RunParams } from "./run-params.ts";

/** A request whose parameters have been checked. */
export type Call = { [M in Method]: { readonly method: M; readonly params: Methods[M]["params"] } }[Method];
export type CheckedCall = { readonly ok: true; readonly call: Call } | { readonly ok: false; readonly error: RpcError };

/** Checks the name of a method and its parameters; an error is one sentence that names the parameter. */
export const checkCall = (method: string, params: unknown): CheckedCall => {
  if (!isMethod(method)) return refuse(ERROR_CODES.methodNotFound, `there is no method ${quote(method)}`);
  // Most requests are questions without parameters: they are answered without a first schema's 1 ms and 0.5 MB.
  if (isEmpty(params) && !NEEDS_SOMETHING.has(method)) return { ok: true, call: { method, params: {} } as Call };
  // An empty list would pass as an object, but parameters by position are not supported.
  if (Array.isArray(params)) return refuse(ERROR_CODES.invalidParams, `the parameters of ${method} must be an object`);
  const result = v.safeParse(schemaOf(method), params ?? {}, { abortEarly: true });
  if (!result.success) return refuse(ERROR_CODES.invalidParams, sentence(method, result.issues[0]));
  // The schema of a method gives that method's parameters: `builders` is checked against Methods.
  return { ok: true, call: { method, params: result.output } as Call };
};

/** Sizes that the kernel sets (execve(2), path_resolution(7)) and counts that no service comes near. */
const BOUNDS = {
  instances: 1000,
  argumentBytes: 131_071,
  commandWords: 16_384,
  pathBytes: 4095,
  environmentNames: 1000,
  environmentNameBytes: 1024,
  /** The largest pid there can be (proc_pid_max(5)). */
  pid: 4_194_304,
  /** About 31 years, in ms. */
  durationMs: 1e12,
  stopSteps: 32,
  retries: 1000,
  /** A tebibyte. */
  memoryBytes: 2 ** 40,
  /** An hour. */
  probeMs: 3_600_000,
  probeThreshold: 1000,
  /** As many as a worker can be started with, beside its sockets. */
  fdStore: 1024,
  logLines: 10_000,
  limits: 16,
} as const;

/** Methods that cannot be called without a parameter. */
const NEEDS_SOMETHING: ReadonlySet<Method> = new Set<Method>(["authenticate", "scale"]);

const isEmpty = (params: unknown): boolean =>
  params === undefined || (isTable(params) && Object.keys(params).length === 0);

type Params<M extends Method> = v.GenericSchema<unknown, Methods[M]["params"]>;

const refuse = (code: number, message: string): CheckedCall => ({ ok: false, error: { code, message } });

const isMethod = (text: string): text is Method => Object.hasOwn(builders, text);

const built = new Map<Method, v.GenericSchema>();

/** The schema of a method's parameters. */
export const schemaOf = (method: Method): v.GenericSchema => {
  const known = built.get(method);
  if (known !== undefined) return known;
  const schema = builders[method]();
  built.set(method, schema);
  return schema;
};

const sentence = (method: Method, issue: v.BaseIssue<unknown>): string => {
  const path = (issue.path ?? [])
    .map((item) => (typeof item.key === "number" ? `[${item.key}]` : `.${String(item.key)}`))
    .join("");
  const name = shorten(path.slice(1));
  if (issue.type === "strict_object" && issue.expected === "never")
    return `${method} has no parameter ${quote(path.slice(1))}`;
  if (issue.type === "strict_object" && issue.expected !== "Object") return `${name} is missing`;
  return path === "" ? `the parameters of ${method} ${issue.message}` : `${name} ${issue.message}`;
};

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);
const quote = (text: string): string => JSON.stringify(shorten(text));

/** A system's string, and UTF-8: half a surrogate pair would become another character. */
const isClean = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text);

const parameters = <E extends v.ObjectEntries>(entries: E) => v.strictObject(entries, "must be an object");

const whole = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
};
const duration = () => {
  const message = `must be a number of milliseconds from 0 to ${BOUNDS.durationMs}`;
  return v.pipe(v.number(message), v.finite(message), v.minValue(0, message), v.maxValue(BOUNDS.durationMs, message));
};
const flag = () => v.exactOptional(v.boolean("must be true or false"));
const text = (maxBytes: number) => {
  const message = `must be a string of at most ${maxBytes} bytes without a zero byte or half a surrogate pair`;
  return v.pipe(
    v.string(message),
    v.check((value) => byteLength(value) <= maxBytes && isClean(value), message),
  );
};
const word = (maxBytes: number) => {
  const message = `must be a string of 1 to ${maxBytes} bytes without a zero byte or half a surrogate pair`;
  return v.pipe(
    v.string(message),
    v.check((value) => value !== "" && byteLength(value) <= maxBytes && isClean(value), message),
  );
};
const clientId = () => v.exactOptional(word(128));
const pid = () => v.exactOptional(whole(1, BOUNDS.pid));
const signal = () => word(32);
const generation = () => v.exactOptional(whole(1, Number.MAX_SAFE_INTEGER));
const nothing = () => parameters({});

const command = () => {
  const message = `must be a list of 1 to ${BOUNDS.commandWords} strings, the first of them not empty`;
  return v.pipe(
    v.array(text(BOUNDS.argumentBytes), message),
    v.minLength(1, message),
    v.maxLength(BOUNDS.commandWords, message),
    v.check((words) => words[0] !== "", message),
  );
};

const directory = () =>
  v.pipe(
    word(BOUNDS.pathBytes),
    v.check((path) => path.startsWith("/"), "must be an absolute path"),
  );

// Not v.record: it leaves out names such as `constructor`, and a variable must not get lost without a word.
const table = <T>(
  isValue: (value: unknown) => value is T,
  problem: (entries: Readonly<Record<string, T>>) => string | null,
  shape: string,
) =>
  v.pipe(
    v.custom<Readonly<Record<string, T>>>(
      (value) => isTable(value) && Object.values(value).every(isValue),
      `must be ${shape}`,
    ),
    v.rawCheck(({ dataset, addIssue }) => {
      const message = dataset.typed ? problem(dataset.value) : null;
      if (message !== null) addIssue({ message });
    }),
  );

const isTable = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const environment = () =>
  table(
    (value): value is string | null => value === null || typeof value === "string",
    (entries) => {
      const names = Object.keys(entries);
      if (names.length > BOUNDS.environmentNames) return `must have at most ${BOUNDS.environmentNames} names`;
      for (const name of names) {
        if (!isEnvironmentName(name)) return `has ${quote(name)}, which cannot be the name of an environment variable`;
        const value = entries[name] ?? "";
        if (!isClean(value))
          return `gives ${quote(name)} a value with a zero byte or half a surrogate pair, which no variable can have`;
        if (byteLength(name) + byteLength(value) + 1 > BOUNDS.argumentBytes)
          return `gives ${quote(name)} a value that is longer than ${BOUNDS.argumentBytes} bytes`;
      }
      return null;
    },
    "an object of strings, and null for what is to be unset",
  );

// `__proto__` would change an object's prototype instead of becoming a name in it.
const isEnvironmentName = (name: string): boolean =>
  name !== "" &&
  name !== "__proto__" &&
  byteLength(name) <= BOUNDS.environmentNameBytes &&
  isClean(name) &&
  !name.includes("=");

const limits = () =>
  table(
    (value): value is number | null =>
      value === null || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0),
    (entries) => {
      if (Object.keys(entries).length > BOUNDS.limits) return `must have at most ${BOUNDS.limits} names`;
      const wrong = Object.keys(entries).find((name) => !/^[a-z]{1,16}$/.test(name));
      return wrong === undefined ? null : `has ${quote(wrong)}, which is no limit's name`;
    },
    "an object of whole numbers from 0, and null for no limit",
  );

const stopSteps = () => {
  const message = `must be a list of 1 to ${BOUNDS.stopSteps} steps`;
  return v.pipe(
    v.array(
      v.strictObject({ signal: signal(), after: duration() }, "must be an object with signal and after"),
      message,
    ),
    v.minLength(1, message),
    v.maxLength(BOUNDS.stopSteps, message),
  );
};

const ready = () =>
  v.variant(
    "kind",
    [
      v.strictObject({ kind: v.picklist(["notify", "ack"]) }, READY),
      v.strictObject({ kind: v.literal("tcp") }, READY),
      v.strictObject({ kind: v.literal("delay"), after: duration() }, READY),
      v.strictObject({ kind: v.literal("http"), path: httpPath() }, READY),
      v.strictObject({ kind: v.literal("exec"), command: command() }, READY),
    ],
    READY,
  );
const READY = "must be an object with the kind notify, ack, delay (after), tcp, http (path) or exec (command)";

const live = () =>
  v.variant(
    "kind",
    [
      v.strictObject({ kind: v.literal("off") }, LIVE),
      v.strictObject({ kind: v.literal("tcp") }, LIVE),
      v.strictObject({ kind: v.literal("http"), path: httpPath() }, LIVE),
      v.strictObject({ kind: v.literal("exec"), command: command() }, LIVE),
      v.strictObject({ kind: v.literal("watchdog"), period: probeTime() }, LIVE),
    ],
    LIVE,
  );
const LIVE = "must be an object with the kind off, tcp, http (path), exec (command) or watchdog (period)";

const httpPath = () => {
  const message = `must be a path of at most ${BOUNDS.pathBytes} printable ASCII characters that begins with /`;
  return v.pipe(
    v.string(message),
    v.check((path) => path.length <= BOUNDS.pathBytes && /^\/[!-~]*$/.test(path), message),
  );
};

const probeTime = () => {
  const message = `must be a number of milliseconds from 1 to ${BOUNDS.probeMs}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(1, message), v.maxValue(BOUNDS.probeMs, message));
};

const selector = () => ({ starting: flag(), ready: flag(), stopping: flag(), pid: pid() });

const run = (): v.GenericSchema<unknown, RunParams> =>
  parameters({
    clientId: clientId(),
    command: v.exactOptional(command()),
    cwd: v.exactOptional(directory()),
    callerCwd: v.exactOptional(directory()),
    pid: pid(),
    wait: flag(),
    supersede: flag(),
    startTimeout: v.exactOptional(v.nullable(duration())),
    stopTimeout: v.exactOptional(v.nullable(duration())),
    instances: v.exactOptional(whole(1, BOUNDS.instances)),
    surge: v.exactOptional(whole(0, BOUNDS.instances)),
    unavailable: v.exactOptional(whole(0, BOUNDS.instances)),
    minReady: v.exactOptional(duration()),
    retries: v.exactOptional(whole(0, BOUNDS.retries)),
    deadline: v.exactOptional(v.nullable(duration())),
    pause: v.exactOptional(duration()),
    draining: v.exactOptional(v.nullable(whole(1, BOUNDS.instances))),
    maxAge: v.exactOptional(v.nullable(whole(1000, BOUNDS.durationMs))),
    maxMemory: v.exactOptional(v.nullable(whole(1, BOUNDS.memoryBytes))),
    memoryInterval: v.exactOptional(whole(1000, BOUNDS.durationMs)),
    stopSignal: v.exactOptional(signal()),
    stopSteps: v.exactOptional(stopSteps()),
    killMode: v.exactOptional(v.picklist(["group", "process"], 'must be "group" or "process"')),
    handOver: flag(),
    fdStore: v.exactOptional(whole(0, BOUNDS.fdStore)),
    socketsOptional: flag(),
    ready: v.exactOptional(ready()),
    probeInterval: v.exactOptional(probeTime()),
    probeTimeout: v.exactOptional(probeTime()),
    probeThreshold: v.exactOptional(whole(1, BOUNDS.probeThreshold)),
    probeAddress: v.exactOptional(text(BOUNDS.pathBytes)),
    live: v.exactOptional(live()),
    liveInterval: v.exactOptional(probeTime()),
    liveTimeout: v.exactOptional(probeTime()),
    liveThreshold: v.exactOptional(whole(1, BOUNDS.probeThreshold)),
    liveAddress: v.exactOptional(text(BOUNDS.pathBytes)),
    env: v.exactOptional(environment()),
    user: v.exactOptional(word(256)),
    umask: v.exactOptional(whole(0, 0o777)),
    noNewPrivs: flag(),
    limits: v.exactOptional(limits()),
  });

const scale = () =>
  v.pipe(
    parameters({
      to: v.exactOptional(whole(0, BOUNDS.instances)),
      by: v.exactOptional(whole(-BOUNDS.instances, BOUNDS.instances)),
    }),
    v.check((given) => (given.to === undefined) !== (given.by === undefined), "must have either to or by"),
  );

const builders: { readonly [M in Method]: () => Params<M> } = {
  authenticate: () => parameters({ token: word(4096) }),
  info: nothing,
  run,
  reload: () => parameters({ wait: flag(), clientId: clientId() }),
  rollback: () => parameters({ to: generation(), wait: flag(), clientId: clientId() }),
  history: nothing,
  scale,
  ps: () => parameters({ ...selector(), measure: flag() }),
  status: () => parameters({ measure: flag() }),
  kill: () => parameters({ ...selector(), signal: v.exactOptional(signal()), wait: flag() }),
  events: () => parameters({ from: v.exactOptional(whole(0, Number.MAX_SAFE_INTEGER)), follow: flag() }),
  logs: () => parameters({ follow: flag(), lines: v.exactOptional(whole(0, BOUNDS.logLines)), pid: pid() }),
  upgrade: () => parameters({ exec: v.exactOptional(directory()), wait: flag() }),
  shutdown: () => parameters({ wait: flag() }),
};
