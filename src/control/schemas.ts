// The parameters of every method, with their bounds; those of a spec's fields are in src/spec/shapes.ts. A schema is built when its method is first called: most supervisors
// handle one event and need few of them.
import * as v from "valibot";
import { BOUNDS } from "../spec/bounds.ts";
import { command, directory, isTable, quote, shorten, whole, word } from "../spec/schema-parts.ts";
import { specEntries } from "../spec/shapes.ts";
import { ERROR_CODES, type Method, type Methods, type RpcError } from "./messages.ts";
import type { RunParams } from "./run-params.ts";

/** A request whose parameters have been checked. */
export type Call = { [M in Method]: { readonly method: M; readonly params: Methods[M]["params"] } }[Method];
export type CheckedCall = { readonly ok: true; readonly call: Call } | { readonly ok: false; readonly error: RpcError };

/** Checks the name of a method and its parameters; an error is one sentence that names the parameter. */
export const checkCall = (method: string, params: unknown): CheckedCall => {
  if (!isMethod(method)) return refuse(ERROR_CODES.methodNotFound, `no such method ${quote(method)}`);
  // Most requests have no parameters: they avoid the 1 ms and 0.5 MB of a first schema.
  if (isEmpty(params) && !NEEDS_SOMETHING.has(method)) return { ok: true, call: { method, params: {} } as Call };
  // An empty list would pass as an object, but parameters by position are not supported.
  if (Array.isArray(params)) return refuse(ERROR_CODES.invalidParams, `the parameters of ${method} must be an object`);
  const result = v.safeParse(schemaOf(method), params ?? {}, { abortEarly: true });
  if (!result.success) return refuse(ERROR_CODES.invalidParams, sentence(method, result.issues[0]));
  // The schema of a method gives that method's parameters: `builders` is checked against Methods.
  return { ok: true, call: { method, params: result.output } as Call };
};

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

const parameters = <E extends v.ObjectEntries>(entries: E) => v.strictObject(entries, "must be an object");

const flag = () => v.exactOptional(v.boolean("must be true or false"));
const clientId = () => v.exactOptional(word(128));
const pid = () => v.exactOptional(whole(1, BOUNDS.pid));
const signal = () => word(BOUNDS.signalBytes);
const generation = () => v.exactOptional(whole(1, Number.MAX_SAFE_INTEGER));
const nothing = () => parameters({});

const selector = () => ({ starting: flag(), ready: flag(), stopping: flag(), pid: pid() });

const run = (): v.GenericSchema<unknown, RunParams> =>
  parameters({
    clientId: clientId(),
    command: v.exactOptional(command()),
    callerCwd: v.exactOptional(directory()),
    pid: pid(),
    wait: flag(),
    fresh: flag(),
    supersede: flag(),
    ...specEntries(),
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
  config: () => parameters({ run: v.exactOptional(run()) }),
  scale,
  ps: () => parameters({ ...selector(), measure: flag() }),
  status: () => parameters({ measure: flag() }),
  kill: () => parameters({ ...selector(), signal: v.exactOptional(signal()), wait: flag() }),
  events: () => parameters({ from: v.exactOptional(whole(0, Number.MAX_SAFE_INTEGER)), follow: flag() }),
  logs: () => parameters({ follow: flag(), lines: v.exactOptional(whole(0, BOUNDS.logLines)), pid: pid() }),
  upgrade: () => parameters({ exec: v.exactOptional(directory()), wait: flag() }),
  shutdown: () => parameters({ wait: flag() }),
};
