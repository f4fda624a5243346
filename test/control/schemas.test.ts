// Every method's parameters: what is accepted, and the errors.
import { describe, expect, test } from "bun:test";
import { ERROR_CODES, type Method } from "../../src/control/messages.ts";
import { checkCall } from "../../src/control/schemas.ts";

const problem = (method: string, params: unknown): string => {
  const checked = checkCall(method, params);
  return checked.ok ? "accepted" : checked.error.message;
};

const EVERY_RUN_PARAMETER = {
  clientId: "c1",
  command: ["ruby", "", "app.rb"],
  cwd: "/srv",
  pid: 12,
  wait: true,
  supersede: false,
  startTimeout: null,
  stopTimeout: 1500.5,
  instances: 4,
  surge: 0,
  unavailable: 1,
  minReady: 0,
  retries: 2,
  deadline: null,
  stopSignal: "SIGRTMIN+3",
  stopSteps: [
    { signal: "usr2", after: 0 },
    { signal: "KILL", after: 6000 },
  ],
  killMode: "process",
  env: { A: "b", constructor: "kept", EMPTY: "", GONE: null },
  user: "www-data",
  umask: 0o027,
  limits: { nofile: 65_536, core: null },
};

describe("checkCall", () => {
  test("accepts every parameter of run and returns it unchanged", () => {
    const checked = checkCall("run", EVERY_RUN_PARAMETER);
    expect(checked).toEqual({ ok: true, call: { method: "run", params: EVERY_RUN_PARAMETER as never } });
  });

  test("accepts every method, without parameters where they are optional", () => {
    const calls: Record<Method, unknown> = {
      authenticate: { token: "secret" },
      info: {},
      run: undefined,
      reload: { wait: true },
      rollback: { to: 3 },
      history: undefined,
      config: { run: { fresh: true, command: ["x"] } },
      scale: { by: -2 },
      ps: { starting: true, pid: 4 },
      status: {},
      kill: { signal: "term", ready: true, wait: false },
      events: { from: 0, follow: true },
      logs: { lines: 0, follow: true, pid: 9 },
      upgrade: { exec: "/opt/crank/bin/crank", wait: true },
      shutdown: {},
    };
    for (const [method, params] of Object.entries(calls)) expect(problem(method, params)).toBe("accepted");
    const wantSomething = Object.keys(calls).filter((method) => problem(method, {}) !== "accepted");
    expect(wantSomething).toEqual(["authenticate", "scale"]);
  });

  test("names an unknown method", () => {
    expect(checkCall("toString", {})).toEqual({
      ok: false,
      error: { code: ERROR_CODES.methodNotFound, message: 'no such method "toString"' },
    });
    expect(problem("x".repeat(500), {}).length).toBeLessThan(120);
  });

  test("names a parameter that is unknown, missing or invalid", () => {
    expect(problem("run", { comand: ["x"] })).toBe('run has no parameter "comand"');
    expect(problem("authenticate", {})).toBe("token is missing");
    expect(problem("run", [])).toBe("the parameters of run must be an object");
    expect(problem("run", "x")).toBe("the parameters of run must be an object");
    expect(problem("scale", {})).toBe("the parameters of scale must have either to or by");
    expect(problem("scale", { to: 1, by: 1 })).toBe("the parameters of scale must have either to or by");
  });

  test("checks every bound", () => {
    const wrong: [Record<string, unknown>, string][] = [
      [{ instances: 0 }, "instances must be a whole number from 1 to 1000"],
      [{ instances: 1001 }, "instances must be a whole number from 1 to 1000"],
      [{ instances: 1.5 }, "instances must be a whole number from 1 to 1000"],
      [{ instances: "3" }, "instances must be a whole number from 1 to 1000"],
      [{ instances: null }, "instances must be a whole number from 1 to 1000"],
      [{ surge: -1 }, "surge must be a whole number from 0 to 1000"],
      [{ retries: 1e9 }, "retries must be a whole number from 0 to 1000"],
      [{ startTimeout: -1 }, "startTimeout must be a number of milliseconds from 0 to 1000000000000"],
      [
        { startTimeout: Number.POSITIVE_INFINITY },
        "startTimeout must be a number of milliseconds from 0 to 1000000000000",
      ],
      [{ minReady: null }, "minReady must be a number of milliseconds from 0 to 1000000000000"],
      [{ pid: 0 }, "pid must be a whole number from 1 to 4194304"],
      [{ wait: 1 }, "wait must be true or false"],
      [{ command: [] }, "command must be a list of 1 to 16384 strings, the first of them not empty"],
      [{ command: [""] }, "command must be a list of 1 to 16384 strings, the first of them not empty"],
      [{ command: "ls" }, "command must be a list of 1 to 16384 strings, the first of them not empty"],
      [
        { command: ["a", 1] },
        "command[1] must be a string of at most 131071 bytes without a zero byte or half a surrogate pair",
      ],
      [
        { command: ["a\ud800"] },
        "command[0] must be a string of at most 131071 bytes without a zero byte or half a surrogate pair",
      ],
      [
        { command: ["a\0"] },
        "command[0] must be a string of at most 131071 bytes without a zero byte or half a surrogate pair",
      ],
      [
        { command: ["ä".repeat(70_000)] },
        "command[0] must be a string of at most 131071 bytes without a zero byte or half a surrogate pair",
      ],
      [{ cwd: "srv" }, "cwd must be an absolute path"],
      [{ cwd: "" }, "cwd must be a string of 1 to 4095 bytes without a zero byte or half a surrogate pair"],
      [
        { clientId: "x".repeat(129) },
        "clientId must be a string of 1 to 128 bytes without a zero byte or half a surrogate pair",
      ],
      [{ killMode: "all" }, 'killMode must be "group" or "process"'],
      [{ umask: 0o1000 }, "umask must be a whole number from 0 to 511"],
      [{ stopSteps: [] }, "stopSteps must be a list of 1 to 32 steps"],
      [{ stopSteps: [{ signal: "TERM" }] }, "stopSteps[0].after is missing"],
      [
        { stopSteps: [{ signal: "TERM", after: -1 }] },
        "stopSteps[0].after must be a number of milliseconds from 0 to 1000000000000",
      ],
      [{ env: [] }, "env must be an object of strings, and null for what is to be unset"],
      [{ env: { A: 1 } }, "env must be an object of strings, and null for what is to be unset"],
      [{ env: { "A=B": "c" } }, 'env has "A=B", which is not a valid name of an environment variable'],
      [{ env: { "": "c" } }, 'env has "", which is not a valid name of an environment variable'],
      [{ env: { A: "\0" } }, 'env gives "A" a value with a zero byte or half a surrogate pair, which is not allowed'],
      [{ env: { A: "x".repeat(131_070) } }, 'env gives "A" a value that is longer than 131071 bytes'],
      [
        { env: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`A${i}`, ""])) },
        "env must have at most 1000 names",
      ],
      [{ limits: { nofile: -1 } }, "limits must be an object of whole numbers from 0, and null for no limit"],
      [{ limits: { "NO FILE": 1 } }, 'limits has "NO FILE", which is not the name of a limit'],
    ];
    for (const [params, sentence] of wrong) expect(problem("run", params)).toBe(sentence);
    expect(problem("logs", { lines: 10_001 })).toBe("lines must be a whole number from 0 to 10000");
    expect(problem("events", { from: -1 })).toBe("from must be a whole number from 0 to 9007199254740991");
  });

  test("protects prototypes from a variable's name", () => {
    expect(problem("run", JSON.parse('{"env":{"__proto__":"x"}}'))).toContain("not a valid name");
    expect(problem("run", JSON.parse('{"__proto__":{"wait":true}}'))).toContain("run has no parameter");
  });
});
