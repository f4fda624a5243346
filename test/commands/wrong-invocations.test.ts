// Wrong invocations of crank, crankctl and crankx: each ends with status 2 and one line that names what is wrong, says why, and
// says what to do. The table is the reason for the file's length.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Desk } from "./harness/scripted-crank.ts";

/** The program, its arguments, and its message; DIR is the directory of -prefix, in which nothing runs. */
type Wrong = readonly ["crank" | "crankctl" | "crankx", readonly string[], string];

const WRONG: readonly Wrong[] = [
  ["crankctl", ["pz"], 'crankctl: "pz": no such command. Did you mean ps (list the workers)?'],
  [
    "crankctl",
    ["restart"],
    'crankctl: "restart": no such command. Did you mean reload (replace the workers with new ones of the same command)?',
  ],
  ["crankctl", ["stop"], 'crankctl: "stop": no such command. Did you mean shutdown (stop the workers and crank)?'],
  [
    "crankctl",
    ["start"],
    'crankctl: "start": no such command. Did you mean run (deploy a command, or the last one again)?',
  ],
  [
    "crankctl",
    ["deploy"],
    'crankctl: "deploy": no such command. Did you mean run (deploy a command, or the last one again)?',
  ],
  ["crankctl", ["nosuch"], "crankctl: \"nosuch\": no such command. 'crankctl help' lists them."],
  [
    "crankctl",
    ["Run"],
    'crankctl: "Run": no such command. Did you mean run (deploy a command, or the last one again)?',
  ],
  ["crankctl", ["-json"], "crankctl: command: missing. Try 'crankctl -help'."],
  ["crankctl", ["-naem", "x", "ps"], "crankctl: -naem: no such flag. Did you mean -name?"],
  [
    "crankctl",
    ["---json", "ps"],
    'crankctl: "---json": not a flag. Flags have one dash or two; arguments that begin with a dash follow --.',
  ],
  ["crankctl", ["help", "nosuch"], "crankctl help: \"nosuch\": no such command. 'crankctl help' lists them."],
  [
    "crankctl",
    ["help", "run", "more"],
    'crankctl help: "more": unexpected argument. Write -name more for a service of this name.',
  ],
  [
    "crankctl",
    ["version", "x"],
    'crankctl version: "x": unexpected argument. Write -name x for a service of this name.',
  ],
  ["crankctl", ["ps", "x"], 'crankctl ps: "x": unexpected argument. Write -name x for a service of this name.'],
  ["crankctl", ["ps", "-naem", "x"], "crankctl ps: -naem: no such flag. Did you mean -name?"],
  ["crankctl", ["ps", "-5"], "crankctl ps: -5: negative value not allowed. Try 'crankctl ps -help'."],
  [
    "crankctl",
    ["ps", "-json=maybe"],
    'crankctl ps: -json "maybe": it is a switch. Write -json, or -json=false to turn it off.',
  ],
  ["crankctl", ["ps", "-pid"], "crankctl ps: -pid: its value is missing. Write -pid PID."],
  ["crankctl", ["ps", "-pid", "x"], "crankctl ps: -pid \"x\": must be a whole number. Try 'crankctl ps -help'."],
  [
    "crankctl",
    ["ps", "-pid", "4194305"],
    "crankctl ps: -pid 4194305: must be at most 4194304. Try 'crankctl ps -help'.",
  ],
  [
    "crankctl",
    ["ps", "-ctl", "fd://3"],
    "crankctl: -ctl fd://3: a control socket must be a unix or tcp stream. Try 'crankctl -help'.",
  ],
  [
    "crankctl",
    ["ps", "-ctl", "tcp://:1"],
    "crankctl: -ctl tcp://:1: a tcp control socket requires a secret. Set CRANK_CTL_TOKEN to that of crank.",
  ],
  [
    "crankctl",
    ["ps", "-ctl", "web:x"],
    "crankctl: -ctl web:x: the port \"x\" is not a number from 0 to 65535. Try 'crankctl -help'.",
  ],
  [
    "crankctl",
    ["ps", "-ctl", "http://x"],
    "crankctl: -ctl http://x: unknown scheme http; use tcp, tcp4, tcp6, udp, udp4, udp6, unix, unixpacket, unixgram or fd. Try 'crankctl -help'.",
  ],
  ["crankctl", ["ps"], "crankctl: service: none given. Use -name NAME or -ctl URI. No crank runs with files in DIR."],
  ["crankctl", ["run", "-start"], "crankctl run: -start: its value is missing. Write -start SEC."],
  [
    "crankctl",
    ["run", "-start", "soon"],
    "crankctl run: -start \"soon\": must be a number of seconds, or a duration such as 300ms, 5m or 4h. Try 'crankctl run -help'.",
  ],
  ["crankctl", ["run", "-retries", "-1"], "crankctl run: -retries -1: must not be negative. Try 'crankctl run -help'."],
  ["crankctl", ["run", "-instances", "0"], "crankctl run: -instances 0: must be at least 1. Try 'crankctl run -help'."],
  [
    "crankctl",
    ["run", "-instances", "1001"],
    "crankctl run: -instances 1001: must be at most 1000. Try 'crankctl run -help'.",
  ],
  [
    "crankctl",
    ["run", "-instances", "2.5"],
    "crankctl run: -instances \"2.5\": must be a whole number. Try 'crankctl run -help'.",
  ],
  [
    "crankctl",
    ["run", "-stop-steps", "TERM,KILL"],
    'crankctl run: -stop-steps "KILL": not a step. Write SIGNAL@SECONDS, as in SIGTERM@3.',
  ],
  [
    "crankctl",
    ["run", "-stop-signal", "TERM", "-stop-steps", "TERM"],
    "crankctl run: -stop-signal: excludes -stop-steps, whose first step is the stop signal. Omit one of them.",
  ],
  ["crankctl", ["run", "-env", "A"], "crankctl run: -env \"A\": must be NAME=VALUE. Try 'crankctl run -help'."],
  [
    "crankctl",
    ["run", "-env", "A=1", "-unset-env", "A"],
    "crankctl run: -env A: it is unset with -unset-env too. Omit one of them.",
  ],
  [
    "crankctl",
    ["run", "-umask", "9"],
    "crankctl run: -umask \"9\": must be octal, from 0 to 777. Try 'crankctl run -help'.",
  ],
  [
    "crankctl",
    ["run", "-limit", "nofile"],
    "crankctl run: -limit \"nofile\": must be NAME=N, as in nofile=65536 or core=unlimited. Try 'crankctl run -help'.",
  ],
  [
    "crankctl",
    ["run", "-max-age", ".5"],
    "crankctl run: -max-age .5: must be at least 1 second, because workers would be replaced continuously. Try 'crankctl run -help'.",
  ],
  [
    "crankctl",
    ["run", "-max-memory", "1.5"],
    "crankctl run: -max-memory \"1.5\": must be a whole number of MB, or a size such as 512M or 2G. Try 'crankctl run -help'.",
  ],
  [
    "crankctl",
    ["run", "-kill-mode", "all"],
    "crankctl run: -kill-mode \"all\": must be group or process. Try 'crankctl run -help'.",
  ],
  [
    "crankctl",
    ["run", "-ready", "htp:/"],
    "crankctl run: -ready \"htp:/\": must be notify, ack, delay:SEC, tcp, http:PATH (as in http:/healthz) or exec:COMMAND. Try 'crankctl run -help'.",
  ],
  [
    "crankctl",
    ["run", "-live", "sometimes"],
    "crankctl run: -live \"sometimes\": must be http:PATH (as in http:/healthz), exec:COMMAND, tcp, watchdog:SEC or off. Try 'crankctl run -help'.",
  ],
  ["crankctl", ["run", "-cwd", ""], "crankctl run: -cwd \"\": must not be empty. Try 'crankctl run -help'."],
  [
    "crankctl",
    ["run", "-probe-timeout", "3601"],
    "crankctl run: -probe-timeout 3601: must be at most 3600. Try 'crankctl run -help'.",
  ],
  ["crankctl", ["run", "-nosuch"], "crankctl run: -nosuch: no such flag. Try 'crankctl run -help'."],
  [
    "crankctl",
    ["reload", "now"],
    'crankctl reload: "now": unexpected argument. Write -name now for a service of this name.',
  ],
  ["crankctl", ["reload", "-wat"], "crankctl reload: -wat: no such flag. Did you mean -wait?"],
  ["crankctl", ["rollback", "12"], 'crankctl rollback: "12": unexpected argument. Write -to 12.'],
  [
    "crankctl",
    ["rollback", "-to", "0"],
    "crankctl rollback: -to 0: must be at least 1. Try 'crankctl rollback -help'.",
  ],
  [
    "crankctl",
    ["rollback", "-to", "last"],
    "crankctl rollback: -to \"last\": must be a whole number. Try 'crankctl rollback -help'.",
  ],
  [
    "crankctl",
    ["scale"],
    "crankctl scale: N: missing. Use scale N to set the number of workers, or scale -by N to add to it.",
  ],
  ["crankctl", ["scale", "-1"], "crankctl scale: -1: negative value not allowed. Try 'crankctl scale -help'."],
  [
    "crankctl",
    ["scale", "1001"],
    "crankctl scale: N \"1001\": must be a whole number from 0 to 1000. Try 'crankctl scale -help'.",
  ],
  ["crankctl", ["scale", "4", "5"], "crankctl scale: \"5\": unexpected argument. Try 'crankctl scale -help'."],
  ["crankctl", ["scale", "4", "-by", "1"], "crankctl scale: -by: excludes N, which is 4. Omit one of them."],
  ["crankctl", ["scale", "-by", "1001"], "crankctl scale: -by 1001: must be at most 1000. Try 'crankctl scale -help'."],
  ["crankctl", ["kill"], "crankctl kill: worker: none selected. Use -starting, -ready, -stopping or -pid PID."],
  ["crankctl", ["kill", "4211"], 'crankctl kill: "4211": unexpected argument. Write -pid 4211.'],
  ["crankctl", ["kill", "-signal"], "crankctl kill: -signal: its value is missing. Write -signal NAME."],
  ["crankctl", ["events", "-from", "1", "-since", "2"], "crankctl events: -from: excludes -since. Omit one of them."],
  [
    "crankctl",
    ["events", "-since", "yesterday"],
    "crankctl events: -since \"yesterday\": must be an event's number, a time as in 2026-01-31T12:00:00Z, or a span as in 90s, 15m, 2h or 1d. Try 'crankctl events -help'.",
  ],
  ["crankctl", ["events", "-f"], "crankctl events: -f: no such flag. Try 'crankctl events -help'."],
  [
    "crankctl",
    ["logs", "-n", "many"],
    "crankctl logs: -n \"many\": must be a whole number. Try 'crankctl logs -help'.",
  ],
  ["crankctl", ["logs", "-n", "10001"], "crankctl logs: -n 10001: must be at most 10000. Try 'crankctl logs -help'."],
  [
    "crankctl",
    ["logs", "web"],
    'crankctl logs: "web": unexpected argument. Write -name web for a service of this name.',
  ],
  [
    "crankctl",
    ["upgrade", "-exec", ""],
    "crankctl upgrade: -exec \"\": must be the path of a program. Try 'crankctl upgrade -help'.",
  ],
  [
    "crankctl",
    ["upgrade", "now"],
    'crankctl upgrade: "now": unexpected argument. Write -name now for a service of this name.',
  ],
  [
    "crankctl",
    ["shutdown", "now"],
    'crankctl shutdown: "now": unexpected argument. Write -name now for a service of this name.',
  ],
  ["crankctl", ["history", "5"], "crankctl history: \"5\": unexpected argument. Try 'crankctl history -help'."],
  [
    "crankctl",
    ["status", "web"],
    'crankctl status: "web": unexpected argument. Write -name web for a service of this name.',
  ],
  ["crankctl", ["info", "-v"], "crankctl info: -v: no such flag. Try 'crankctl info -help'."],
  ["crankctl", ["ls", "a", "b"], "crankctl ls: \"b\": unexpected argument. Try 'crankctl ls -help'."],
  ["crankctl", ["watch", "-json"], "crankctl watch: -json: watch has no JSON. Use events -json or status -json."],
  ["crankctl", ["watch", "a", "b"], "crankctl watch: \"b\": unexpected argument. Try 'crankctl watch -help'."],
  [
    "crankctl",
    ["adopt"],
    "crankctl adopt: -dry-run: missing. It shows what crank would adopt; crank itself adopts when it starts.",
  ],
  ["crankctl", ["completion"], "crankctl completion: shell: missing. Write completion bash, zsh or fish."],
  [
    "crankctl",
    ["completion", "tcsh"],
    'crankctl completion: "tcsh": no script for this shell. There are those for bash, zsh and fish.',
  ],
  [
    "crankctl",
    ["completion", "bash", "zsh"],
    "crankctl completion: \"zsh\": unexpected argument. Try 'crankctl completion -help'.",
  ],
  ["crankctl", ["apply", "-prune", "web"], "crankctl apply: -prune: it is for all services of the file. Omit web."],
  ["crankctl", ["apply"], "crankctl: crank.toml: no such file; -f names another one"],
  ["crankctl", ["diff", "-f", "nosuch.toml"], "crankctl: nosuch.toml: no such file; -f names another one"],
  ["crankx", ["-paralel", "2", "web", "ps"], "crankx: -paralel: no such flag. Did you mean -parallel?"],
  ["crankx", ["-parallel", "0", "web", "ps"], "crankx: -parallel 0: must be at least 1. Try 'crankx -help'."],
  ["crankx", ["-parallel", "1001", "web", "ps"], "crankx: -parallel 1001: must be at most 1000. Try 'crankx -help'."],
  [
    "crankx",
    ["-keep-going=x", "web", "ps"],
    'crankx: -keep-going "x": it is a switch. Write -keep-going, or -keep-going=false to turn it off.',
  ],
  ["crankx", ["web"], "crankctl: command: missing. Try 'crankctl -help'."],
  ["crankx", ["web", "pz"], 'crankctl: "pz": no such command. Did you mean ps (list the workers)?'],
  ["crankx", ["web", "ls"], "crankx: ls: it finds the services itself. Use crankctl ls."],
  ["crankx", ["web", "ps", "-name", "x"], "crankx: -name: not allowed, because PREFIX selects the services. Omit it."],
  ["crankx", ["web", "ps", "-ctl", "x"], "crankx: -ctl: not allowed, because PREFIX selects the services. Omit it."],
  ["crankx", ["web", "ps", "x"], 'crankctl ps: "x": unexpected argument. Write -name x for a service of this name.'],
  [
    "crankx",
    ["web", "ps", "-prefix", "x"],
    "crankx: -prefix: not allowed, because PREFIX selects the services. Omit it.",
  ],
  ["crank", ["-bnd", ":0"], "crank: -bnd: no such flag. Did you mean -bind?"],
  ["crank", ["-bind"], "crank: -bind: its value is missing. Write -bind URI."],
  [
    "crank",
    ["-name", "web", "-instances", "2"],
    "crank: -instances: it is for a command, and there is none. Write crank [flags] -- COMMAND, or use crankctl run.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "a/b"],
    "crank: -name \"a/b\": must be a file name without slashes and spaces that does not begin with a dot. Try 'crank -help'.",
  ],
  ["crank", ["-bind", ":0"], "crank: -ctl: missing, so there is no control socket. Give it, or -name, which sets it."],
  [
    "crank",
    ["-bind", ":0", "-ctl", "x.ctl"],
    "crank: -conf: missing, so there is no place for the record of good runs. Give it, or -name, which sets it.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-linger", "-1"],
    "crank: -linger -1: must not be negative. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-linger", "soon"],
    "crank: -linger \"soon\": must be a number of seconds, or a duration such as 300ms, 5m or 4h. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-log-format", "xml"],
    "crank: -log-format \"xml\": must be text, json or raw. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-quiet", "-verbose"],
    "crank: -quiet: excludes -verbose. Omit one of them.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-syslog", "-log-format", "json"],
    "crank: -log-format json: -syslog has only the text format. Omit one of them.",
  ],
  [
    "crank",
    ["-name", "web", "-instances", "0", "--", "true"],
    "crank: -instances 0: must be at least 1. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", "tcp://:99999", "-name", "web"],
    "crank: -bind tcp://:99999: the port \"99999\" is not a number from 0 to 65535. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", "http://x", "-name", "web"],
    "crank: -bind http://x: unknown scheme http; use tcp, tcp4, tcp6, udp, udp4, udp6, unix, unixpacket, unixgram or fd. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", ":0?nosuch=1", "-name", "web"],
    "crank: -bind :0?nosuch=1: unknown option \"nosuch\"; use backlog, reuseport, nodelay, keepalive, defer-accept, fastopen, v6only, nonblock, mode, owner, group and name. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", ":0?mode=0660", "-name", "web"],
    "crank: -bind :0?mode=0660: mode is for unix sockets only. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-ctl", "tcp://:0"],
    "crank: -ctl tcp://:0: a tcp address requires a secret. Set CRANK_CTL_TOKEN.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-ctl", "udp://:0"],
    "crank: -ctl udp://:0: the control socket must be a unix or tcp stream, as in -ctl unix:///run/web.ctl. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-metrics", "udp://:1"],
    "crank: -metrics udp://:1: the address must be a tcp or unix stream, as in -metrics 127.0.0.1:9180. Try 'crank -help'.",
  ],
  [
    "crank",
    ["-bind", ":0", "-name", "web", "-respawn=often"],
    'crank: -respawn "often": it is a switch. Write -respawn, or -respawn=false to turn it off.',
  ],
];

let desk: Desk;
beforeAll(() => {
  desk = new Desk();
});
afterAll(() => desk.clean());

describe("a wrong invocation ends with status 2 and one line", () => {
  test.each(WRONG)("%s %p", async (program, args, message) => {
    const { status, stdout, stderr } = await desk.run(program, args);
    expect([status, stdout, stderr.replaceAll(desk.directory, "DIR")]).toEqual([2, "", `${message}\n`]);
  });
});

test("each message has the form `program: what: why. What to do.`", () => {
  expect(WRONG.length).toBeGreaterThanOrEqual(60);
  for (const [program, , message] of WRONG) {
    expect(message).toMatch(/^(crank|crankctl( [a-z]+)?|crankx): \S.*: \S/);
    if (program !== "crankx") expect(message).toStartWith(program);
  }
});
