// Configuration files: what a file means, and what is said of a wrong one.
import { describe, expect, test } from "bun:test";
import { readConfig, selected } from "../../src/commands/config/config.ts";
import { ConfigError } from "../../src/commands/config/document.ts";
import { KEYS } from "../../src/commands/config/keys.ts";
import { CRANK_FLAGS } from "../../src/commands/crank/flags.ts";
import { SPEC_ROWS } from "../../src/spec/fields.ts";

const read = (text: string | Uint8Array) =>
  readConfig("crank.toml", "/srv/app", typeof text === "string" ? new TextEncoder().encode(text) : text);

/** The message of the error, without the file's name. */
const problem = (text: string | Uint8Array): string => {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replace(/^crank\.toml:/, "");
    throw error;
  }
  throw new Error("the file was accepted");
};

const service = (lines: string): string => `[service.api]\ncommand = ["node", "server.js"]\n${lines}\n`;
const only = (lines: string) => read(service(lines)).services[0];

test("a service has the parameters that the same flags of crankctl run make", () => {
  const [api, jobs] = read(`
[service.api]
bind      = ":8080"
command   = ["node", "server.js"]
instances = 4
ready     = "http:/healthz"
stop      = "10m"
env-file  = ".env"

[service.jobs]              # no bind: a queue worker
command   = ["node", "jobs.js"]
`).services;
  expect(api).toMatchObject({
    name: "api",
    crank: { bind: [":8080"] },
    envFiles: ["/srv/app/.env"],
    run: {
      command: ["node", "server.js"],
      callerCwd: "/srv/app",
      instances: 4,
      ready: { kind: "http", path: "/healthz" },
      stopTimeout: 600_000,
    },
    keys: ["bind", "command", "instances", "ready", "stop", "env-file"],
  });
  expect(jobs).toMatchObject({ name: "jobs", crank: {}, run: { command: ["node", "jobs.js"] } });
});

test("durations are numbers of seconds or have a unit", () => {
  expect(only("stop = 90")?.run.stopTimeout).toBe(90_000);
  expect(only("start = 0.5")?.run.startTimeout).toBe(500);
  expect(only('pause = "300ms"')?.run.pause).toBe(300);
  expect(only("deadline = 0")?.run.deadline).toBe(null);
});

test("maps are tables, and lists may be one string", () => {
  const api = only(
    'env = { A = "1", "B.C" = "x=y" }\nunset-env = "D"\nlimit = { nofile = 65536, core = "unlimited" }\nbind = [":1", ":2"]',
  );
  expect(api?.run.env).toEqual({ A: "1", "B.C": "x=y", D: null });
  expect(api?.run.limits).toEqual({ nofile: 65536, core: null });
  expect(api?.crank.bind).toEqual([":1", ":2"]);
});

test("a map may be a table of its own", () => {
  expect(read(`${service("")}[service.api.env]\nA = "1"\n`).services[0]?.run.env).toEqual({ A: "1" });
});

test("directories are relative to the directory of the file", () => {
  expect(only('cwd = "current"')?.run.cwd).toBe("/srv/app/current");
});

test("there is a key for every field of run and every flag of crank", () => {
  const flags = [...SPEC_ROWS.map(([flag]) => flag), ...Object.keys(CRANK_FLAGS)];
  expect(flags.filter((flag) => !KEYS.includes(flag))).toEqual(["name", "version"]);
});

describe("order", () => {
  const named = (...lines: string[]): string =>
    lines.map((line) => `[service.${line.split(" ")[0]}]\ncommand = ["x"]\n${line.replace(/^\S+ ?/, "")}\n`).join("");
  const names = (text: string): string[] => read(text).services.map(({ name }) => name);

  test("services are in the order of the file, also those whose names are numbers", () => {
    expect(names(named("b", "2", "a", "1"))).toEqual(["b", "2", "a", "1"]);
  });

  test("a service comes after those of its after", () => {
    expect(names(named('a after = ["c"]', "b", 'c after = "d"', "d"))).toEqual(["d", "c", "a", "b"]);
  });

  test("a cycle is an error that names it", () => {
    expect(problem(named('a after = ["b"]', 'b after = ["c"]', 'c after = ["a"]'))).toBe(
      "9:1: after goes in a circle: a after b after c after a",
    );
    expect(problem(named('a after = ["a"]'))).toBe("3:1: after goes in a circle: a after a");
  });

  test("an unknown service is an error with the nearest name", () => {
    expect(problem(named("workers", 'a after = ["worker"]'))).toBe(
      '6:1: there is no service "worker"; did you mean workers?',
    );
  });

  test("some services are selected in the same order", () => {
    const config = read(named("b", "a", "c"));
    expect(selected(config, ["c", "b"]).map(({ name }) => name)).toEqual(["b", "c"]);
    expect(() => selected(config, ["x"])).toThrow('crank.toml has no service "x"');
  });
});

describe("errors", () => {
  test.each([
    ["instnaces = 4", '3:1: unknown key "instnaces"; did you mean instances?'],
    ['  envfile = ".env"', '3:3: unknown key "envfile"; did you mean env-file?'],
    ['"zzzzzz" = 1', '3:1: unknown key "zzzzzz"'],
    ['name = "x"', "3:1: unknown key name: a service's name is that of its table, [service.NAME]"],
    ['instances = "4"', '3:1: instances must be a whole number, not "4"'],
    ["instances = 1.5", "3:1: instances must be a whole number, not 1.5"],
    ["instances = 0", "3:1: instances 0: must be at least 1"],
    ["instances = [4]", "3:1: instances must be a whole number, not a list"],
    ["stop = true", '3:1: stop must be a number of seconds or a duration such as "5m", not true'],
    ["stop = 2026-01-01", '3:1: stop must be a number of seconds or a duration such as "5m", not a date'],
    ['stop = "soon"', '3:1: stop "soon": must be a number of seconds, or a duration such as 300ms, 5m or 4h'],
    ["stop = nan", '3:1: stop must be a number of seconds or a duration such as "5m", not null'],
    ["umask = 27", '3:1: umask must be a string with an octal number, as in "027", not 27'],
    ["ready = 1", "3:1: ready must be a string, not 1"],
    ['hand-over = "yes"', '3:1: hand-over must be true or false, not "yes"'],
    ['env = ["A=1"]', "3:1: env must be a table, as in { NAME = … }, not a list"],
    ["env = { A = 1 }", "3:1: env.A must be a string, not 1"],
    ["after = 1", "3:1: after must be a list of strings, not 1"],
    ["bind = [1]", "3:1: bind must be a list of strings, not with 1"],
    [
      'bind = "8080"',
      "3:1: 8080: an address or a file? Write :8080 for a tcp address, ./8080 for a unix socket's file",
    ],
    ['bind = [":80", ":80"]', "3:1: bind has :80 twice"],
    [
      'stop-signal = "INT"\nstop-steps = "INT,KILL@3"',
      "1:10: stop-signal: excludes stop-steps, whose first step is the stop signal. Omit one of them.",
    ],
    ['unset-env = [""]', '1:10: service.api: env has "", which is not a valid name of an environment variable'],
    ['command = "node"', "3:1: trying to redefine an already defined table or value"],
    ["x", "3:2: "],
  ])("%s", (lines, message) => {
    expect(problem(service(lines)).slice(0, message === "3:2: " ? 5 : undefined)).toBe(message);
  });

  test("a command must be a list, because no shell splits it", () => {
    expect(problem('[service.a]\ncommand = "node server.js"\n')).toBe(
      '2:1: command must be a list of words, as in ["node", "server.js"], not "node server.js": there is no shell that splits it',
    );
    expect(problem("[service.a]\ncommand = []\n")).toBe("2:1: command must begin with a program");
    expect(problem("[service.a]\n")).toBe("1:10: service.a has no command");
  });

  test("an empty file has no services", () => {
    expect(problem("")).toBe("1:1: no services: each one is a table [service.NAME] with a command");
    expect(problem("# nothing\n[service]\n")).toBe(
      "1:1: no services: each one is a table [service.NAME] with a command",
    );
  });

  test("tables of other names are unknown", () => {
    expect(problem("[services.a]\n")).toBe('1:2: unknown key "services"; each service is a table [service.NAME]');
    expect(problem("service = 1\n")).toBe("1:1: service must be a table, not 1");
    expect(problem("service.a = 1\n")).toBe("1:9: service.a must be a table, not 1");
    expect(problem("[[service.a]]\n")).toBe("1:11: service.a must be a table, not a list");
  });

  test("a name must be usable as the name of a file", () => {
    expect(problem('[service."a/b"]\n')).toBe(
      '1:10: "a/b" is to be the name of files: no slash, no space, no dot in front',
    );
  });

  test("two services on one address are an error at the second", () => {
    const text =
      '[service.a]\ncommand = ["x"]\nbind = ":80"\n[service.b]\ncommand = ["x"]\nbind = ["tcp://:80?backlog=9"]\n';
    expect(problem(text)).toBe("6:1: tcp://:80?backlog=9 is the address of service a already");
    expect(read(text.replaceAll(":80", ":0")).services).toHaveLength(2);
  });

  test("bytes that are not UTF-8 are an error with their position", () => {
    const bytes = new TextEncoder().encode(service('user = "Xrg"'));
    bytes[bytes.indexOf(0x58)] = 0xfc;
    expect(problem(bytes)).toBe("3:9: the bytes here are not UTF-8; save the file as UTF-8");
  });

  test("columns count characters, in lines that end either way", () => {
    expect(problem(service('"größe" = 1').replaceAll("\n", "\r\n"))).toBe('3:1: unknown key "größe"');
    expect(problem('service = { "ä" = { command = ["x"], foo = 1 } }')).toBe('1:38: unknown key "foo"');
  });
});

test("positions are found behind strings, comments and nested values", () => {
  const before = `
# a = "
env = { A = "#", B = 'x]' , C = """
wrong = "1"
"quoted" \\""""", D = '''
[service.x]
''' } # }
after = [ # ]
  "]", '''
wrong''',
]
limit.nofile = 1
  wrong = 1979-05-27 07:32:00 # =
`;
  expect(problem(`[service."]"]\ncommand=["x"]\n[service.api]\ncommand = ["x"]\n${before}`)).toBe(
    '17:3: unknown key "wrong"',
  );
});

test("a file with more lines than any has is refused before it is parsed", () => {
  expect(problem("# x\n".repeat(20_001))).toBe("20001:1: more than 20000 lines");
  expect(problem("# x\n".repeat(20_000))).toStartWith("1:1: no services");
});

test("a key with many parts is an error like any other", () => {
  expect(problem(service(`${Array.from({ length: 100_000 }, () => "a").join(".")} = 1`))).toBe('3:1: unknown key "a"');
});

test("a file of 1 MB is read, and the keys at its end have positions", () => {
  const many = Array.from(
    { length: 1000 },
    (_, index) => `[service.s${index}]\ncommand = ["node", "server.js"]\nenv = { A = "${"x".repeat(950)}" }\n`,
  );
  const text = many.join("");
  expect(text.length).toBeGreaterThan(1_000_000);
  expect(read(text).services).toHaveLength(1000);
  expect(problem(`${text}wrong = 1\n`)).toBe('3001:1: unknown key "wrong"');
  expect(problem(`${text}[service.more]\n`)).toBe("3001:10: more than 1000 services");
});
