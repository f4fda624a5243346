// From a `run` request to a spec: defaults, and what is refused.
import { describe, expect, test } from "bun:test";
import type { RunParams } from "../../src/control/run-params.ts";
import type { Spec } from "../../src/core/model/spec.ts";
import { DEFAULTS } from "../../src/spec/defaults.ts";
import { SpecError } from "../../src/supervisor/control/spec-error.ts";
import { specFrom } from "../../src/supervisor/control/specs.ts";
import type { Platform } from "../../src/supervisor/os/platform.ts";
import type { Settings } from "../../src/supervisor/state/settings.ts";

// Only what specs.ts uses of a platform and of the settings.
const platform = {
  environment: {},
  kernelLimits: () => ({ somaxconn: null, openFiles: null, stack: 8 * 1024 * 1024 }),
  canAskForUsers: () => true,
  findUser: (name: string) => (name === "www" ? { name, uid: 33, gid: 33, groups: [33] } : null),
} as Platform;
const settings = { cwd: "/srv", defaults: DEFAULTS } as Settings;

const specOf = (params: RunParams, base: Spec | null = null): Spec => specFrom(platform, settings, base, params);

describe("a run's spec", () => {
  test("has all defaults when it is the first", () => {
    expect(specOf({ command: ["ruby", "app.rb"] })).toMatchObject({
      command: ["ruby", "app.rb"],
      cwd: "/srv",
      instances: 1,
      startTimeoutMs: 30_000,
      stopSteps: [
        { signal: "SIGTERM", afterMs: 0 },
        { signal: "SIGKILL", afterMs: 30_000 },
      ],
    });
  });

  test("takes missing values from the last good one", () => {
    const base = specOf({
      command: ["a"],
      cwd: "/x",
      instances: 3,
      env: { A: "1" },
      stopSignal: "quit",
      limits: { nofile: 10 },
      user: "www",
    });
    const next = specOf({ env: { B: null }, limits: { core: null } }, base);
    expect(next).toMatchObject({
      command: ["a"],
      cwd: "/x",
      instances: 3,
      env: { A: "1", B: null },
      user: { uid: 33 },
    });
    expect(next.stopSteps[0]?.signal).toBe("SIGQUIT");
    expect(next.limits.map((limit) => limit.name)).toEqual(["nofile", "core"]);
  });

  test("with a switch turned off equals one that never had it on", () => {
    const base = specOf({ command: ["a"], socketsOptional: true, noNewPrivs: true });
    expect(base).toMatchObject({ socketsOptional: true, noNewPrivs: true });
    expect(specOf({ socketsOptional: false, noNewPrivs: false }, base)).toEqual(specOf({ command: ["a"] }));
  });

  test("resolves a relative command in the client's directory, as long as that command is kept", () => {
    const base = specOf({ command: ["./a"], callerCwd: "/x" });
    expect(base).toMatchObject({ cwd: "/x", callerCwd: "/x" });
    expect(specOf({ instances: 2 }, base)).toMatchObject({ cwd: "/x", callerCwd: "/x" });
    expect(specOf({ command: ["b"], callerCwd: "/y" }, base)).not.toHaveProperty("callerCwd");
  });

  test("has no SIGKILL when the stop has no limit, and gets one back with a limit", () => {
    const endless = specOf({ command: ["a"], stopTimeout: null });
    expect(endless.stopSteps).toEqual([{ signal: "SIGTERM", afterMs: 0 }]);
    expect(specOf({ stopTimeout: 1500 }, endless).stopSteps.at(-1)).toEqual({ signal: "SIGKILL", afterMs: 1500 });
  });

  test("takes stop steps as given, and ends them with SIGKILL when a budget is given", () => {
    const steps = [
      { signal: "USR2", after: 0 },
      { signal: "TERM", after: 3000 },
    ];
    expect(specOf({ command: ["a"], stopSteps: steps }).stopSteps).toEqual([
      { signal: "SIGUSR2", afterMs: 0 },
      { signal: "SIGTERM", afterMs: 3000 },
    ]);
    expect(specOf({ command: ["a"], stopSteps: steps, stopTimeout: 6000 }).stopSteps.at(-1)).toEqual({
      signal: "SIGKILL",
      afterMs: 6000,
    });
  });

  test.each<[RunParams, string]>([
    [{}, "Command is missing"],
    [{ command: ["a"], surge: 0 }, "With -surge 0"],
    [{ command: ["a"], user: "nobody-here" }, "No such user"],
    [{ command: ["a"], limits: { files: 1 } }, "No such limit"],
    [{ command: ["a"], stopSignal: "NOPE" }, "Unknown signal NOPE"],
    [{ command: ["a"], stopSteps: [{ signal: "TERM", after: 5 }] }, "first stop step"],
    [
      {
        command: ["a"],
        stopSteps: [
          { signal: "TERM", after: 0 },
          { signal: "INT", after: 9 },
          { signal: "KILL", after: 5 },
        ],
      },
      "order",
    ],
  ])("from %j is refused: %s", (params, part) => {
    expect(() => specOf(params)).toThrow(SpecError);
    expect(() => specOf(params)).toThrow(part);
  });
});

describe("a spec that could never be started", () => {
  const large = (names: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: names }, (_, index) => [`V${index}`, "x".repeat(100_000)]));

  test("is refused with the kernel's limit for arguments and environment", () => {
    expect(() => specOf({ command: ["a"], env: large(3), limits: { stack: 1024 * 1024 } })).toThrow(
      /would take 30\d{4} bytes, more than the 262144 that the kernel grants at this stack limit; .*-limit stack=BYTES/,
    );
    expect(specOf({ command: ["a"], env: large(3), limits: { stack: 2 * 1024 * 1024 } }).command).toEqual(["a"]);
    expect(specOf({ command: ["a"], env: large(3), limits: { stack: null } }).command).toEqual(["a"]);
  });

  test("is refused when it has grown from run to run beyond crank's limit", () => {
    const base = specOf({ command: ["a"], env: large(10) });
    expect(() => specOf({ env: { ONE: "x".repeat(100_000) } }, base)).toThrow(/more than the 1048576 that crank keeps/);
    expect(specOf({ env: { V0: null, ONE: "x".repeat(100_000) } }, base).env.V0).toBeNull();
  });
});
