// crank's flags, in the order in which -help shows them; the manual page crank(1) says more of each.
import type { FlagTable } from "../flags.ts";
import { DEFAULT_FLAGS } from "../spec-flags.ts";

export const CRANK_FLAGS = {
  bind: {
    kind: "texts",
    argument: "URI",
    environment: "CRANK_BIND",
    help: "a socket that workers inherit: PATH, [HOST]:PORT, fd://N or SCHEME://…, followed by ?option=value&…",
  },
  name: {
    kind: "text",
    argument: "NAME",
    environment: "CRANK_NAME",
    help: "the service's name: -conf and -ctl default to PREFIX/NAME.conf and PREFIX/NAME.ctl",
  },
  conf: { kind: "text", argument: "PATH", environment: "CRANK_CONF", help: "the record of the last good runs" },
  ctl: {
    kind: "text",
    argument: "URI",
    environment: "CRANK_CTL",
    help: "the control socket, with options as for -bind; a tcp address requires a secret in CRANK_CTL_TOKEN",
  },
  metrics: {
    kind: "text",
    argument: "ADDR",
    environment: "CRANK_METRICS",
    help: "serve /metrics for Prometheus, and /healthz, on HOST:PORT or a unix socket's PATH, without access control",
  },
  prefix: {
    kind: "text",
    argument: "DIR",
    environment: "CRANK_PREFIX",
    help: "directory of the service's files, if not in the default directories",
  },
  respawn: {
    kind: "switch",
    group: "Workers",
    help: "restart workers that die, instead of exiting with the last one (the default for more than one worker; -respawn=false turns it off)",
  },
  ...DEFAULT_FLAGS,
  "no-adopt": {
    kind: "switch",
    group: "Workers",
    help: "do not adopt the workers of a killed crank of this name",
  },
  linger: {
    kind: "seconds",
    argument: "SEC",
    max: 86_400,
    group: "Cost",
    help: "how long the supervisor stays idle before it exits (default 10)",
  },
  "log-format": {
    kind: "choice",
    argument: "FORMAT",
    choices: ["text", "json", "raw"],
    group: "Output",
    help: "format of workers' lines: text, json, or raw (workers write to crank's own output)",
  },
  syslog: {
    kind: "switch",
    group: "Output",
    help: "send workers' lines and crank's own log to syslog instead, as text",
  },
  quiet: { kind: "switch", group: "Output", help: "log errors only" },
  verbose: { kind: "switch", group: "Output", help: "log every step" },
  version: { kind: "switch", help: "print the version and exit" },
} as const satisfies FlagTable;
