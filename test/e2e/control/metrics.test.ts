// crank -metrics, read by an independent parser of the format, and by good and bad clients.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { needing } from "../../needs.ts";
import { ROOT, type Running } from "../harness/bench.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());
const clients: Socket[] = [];
web.atEnd(() => {
  for (const client of clients.splice(0)) client.destroy();
});

const start = async (...args: string[]): Promise<Running> => {
  const crank = await web.start("-metrics", "127.0.0.1:0", ...args);
  await crank.wrote("stderr", /Metrics are served on .*\n/);
  return crank;
};
const run = (...flags: string[]): Promise<void> =>
  web.deploy("-env", `HOLDER_DIR=${web.directory}`, ...flags, "--", ...HOLDER, "0", "100");
const metricsPort = (crank: Running): number =>
  Number(/Metrics are served on tcp:\/\/127\.0\.0\.1:(\d+)/.exec(crank.stderr())?.[1]);
const ask = (crank: Running, path: string, options: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${metricsPort(crank)}${path}`, options);

type Sample = {
  readonly name: string;
  readonly type: string;
  readonly labels: Record<string, string>;
  readonly value: number;
};

/** The package of Prometheus's own parser. */
const PARSER = "python3-prometheus-client";

/** The result of Prometheus's own Python parser. */
const parsed = async (text: string): Promise<readonly Sample[]> => {
  const reader = web.bench.start([DEBIANS_PYTHON, "-c", READER], { stdin: "pipe" });
  reader.write(JSON.stringify(text));
  reader.write("\n");
  const { status, stdout, stderr } = await reader.ended;
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};
/** The one that Debian packages are for. */
const DEBIANS_PYTHON = "/usr/bin/python3";
const READER = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(json.loads(sys.stdin.readline())))
assert all(family.documentation for family in families), "a family without help"
assert len({family.name for family in families}) == len(families), "a family that comes twice"
print(json.dumps([{"name": sample.name, "type": family.type, "labels": sample.labels, "value": sample.value}
                  for family in families for sample in family.samples]))
`;

import { eachTest } from "../harness/each-test.ts";
import { HOLDER } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";

const scrape = async (crank: Running): Promise<readonly Sample[]> =>
  parsed(await (await ask(crank, "/metrics")).text());
const find = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined =>
  samples.find(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value;

/** Connects to the metrics socket without an HTTP client. */
const open = (
  port: number,
): { readonly socket: Socket; readonly heard: () => string; readonly ended: Promise<void> } => {
  const socket = connect({ host: "127.0.0.1", port });
  clients.push(socket);
  let heard = "";
  socket.on("data", (bytes) => {
    heard += bytes;
  });
  const ended = new Promise<void>((resolve) => socket.on("error", () => {}).on("close", () => resolve()));
  return { socket, heard: () => heard, ended };
};

describe("/metrics", () => {
  needing(PARSER).test(
    "is valid for a parser of the format, in base units, with counters typed as counters",
    async () => {
      const crank = await start("-linger", "0", "-bind", web.path('a"b\\c.sock'));
      await run("-instances", "2", "-stop", "0.2");
      await run();
      for (let count = 0; count < 3; count++) clients.push(connect({ host: "127.0.0.1", port: web.port }));
      const samples = await waitFor("three connections, and the first two workers to be gone", async () => {
        const now = await scrape(crank);
        const gone = find(now, "crank_worker_exits_total", { asked: "yes" });
        return gone === 2 && find(now, "crank_connections", { state: "ready" }) === 3 && now;
      });
      expect(find(samples, "crank_generation")).toBe(2);
      expect(find(samples, "crank_rollouts_total", { outcome: "complete" })).toBe(2);
      expect(find(samples, "crank_workers", { state: "ready" })).toBe(2);
      expect(find(samples, "crank_workers_wanted")).toBe(2);
      expect(find(samples, "crank_worker_starts_total")).toBe(4);
      expect(find(samples, "crank_worker_exits_total", { asked: "no" })).toBe(0);
      const workers = samples
        .filter(({ name }) => name === "crank_worker_info")
        .map(({ labels }) => labels.worker ?? "");
      expect(workers).toEqual(["3", "4"]);
      const held = workers.map((worker) => find(samples, "crank_worker_connections", { worker }) ?? Number.NaN);
      expect(held[0]).toBe(3 - (held[1] ?? 0));
      for (const worker of workers) {
        expect(find(samples, "crank_worker_memory_bytes", { worker })).toBeGreaterThan(1e6);
        expect(find(samples, "crank_worker_cpu_seconds_total", { worker })).toBeLessThan(60);
        const startedAt = find(samples, "crank_worker_start_time_seconds", { worker }) ?? 0;
        expect(Math.abs(startedAt - Date.now() / 1000)).toBeLessThan(120);
      }
      expect(find(samples, "crank_socket_connections", { socket: "socket0" })).toBe(3);
      expect(find(samples, "crank_socket_accept_queue_limit", { socket: "socket0" })).toBe(4096);
      expect(find(samples, "crank_socket_drops_total", { socket: "socket0" })).toBe(0);
      expect(samples.some(({ labels }) => labels.address?.endsWith('/a"b\\c.sock'))).toBe(true);
      expect(find(samples, "crank_network_listen_overflows_total")).toBeGreaterThanOrEqual(0);
      const described = [
        ...readFileSync(join(ROOT, "docs/reference/metrics.md"), "utf8").matchAll(/^\| `(crank_\w+)` \| (\w+) /gm),
      ];
      const shown = new Map(samples.map(({ name, type }) => [name, type]));
      expect([...shown].sort()).toEqual(
        described.map(([, name = "", type = ""]) => [name, type] as [string, string]).sort(),
      );
      for (const { name, type } of samples) expect(name.endsWith("_total")).toBe(type === "counter");
    },
  );

  test("answers a hundred clients at the same time, while crankctl is answered too", async () => {
    const crank = await start();
    await run();
    const scrapes = Array.from({ length: 100 }, () => ask(crank, "/metrics"));
    const asked = await web.ctl("ps");
    expect(asked.status).toBe(0);
    for (const scraped of await Promise.all(scrapes)) {
      expect(scraped.status).toBe(200);
      expect(scraped.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      expect(await scraped.text()).toContain('crank_workers{state="ready"} 1\n');
    }
  });

  needing(PARSER).test("is served by the crank that adopts the workers of a killed one", async () => {
    await start();
    await run("-stop", "0.2");
    await web.kill();
    const next = await start();
    await next.wrote("stderr", "Adopted 1 ");
    expect(find(await scrape(next), "crank_workers", { state: "ready" })).toBe(1);
    expect(find(await scrape(next), "crank_worker_starts_total")).toBe(1);
  });

  test("is served on a unix socket, whose file crank removes when it ends", async () => {
    const path = web.path("metrics.sock");
    const crank = await web.start("-metrics", path);
    const answer = await fetch("http://localhost/metrics", { unix: path });
    expect(await answer.text()).toContain("crank_generation 0\n");
    crank.signal("SIGTERM");
    expect((await crank.ended).status).toBe(0);
    expect(await Bun.file(path).exists()).toBe(false);
  });
});

test("/healthz is 200 while a worker is ready and crank is not shutting down", async () => {
  const crank = await start();
  const health = async () => {
    const answer = await ask(crank, "/healthz");
    return [answer.status, await answer.text()];
  };
  expect(await health()).toEqual([503, "Waiting for a first deploy (crankctl run)\n"]);
  await run("-stop", "600");
  expect(await health()).toEqual([200, "Generation 1: 1 of 1 worker ready\n"]);
  await web.ctl("shutdown");
  expect(await health()).toEqual([503, "Shutting down, 1 worker left\n"]);
});

describe("a wrong request", () => {
  test.each([
    ["GET /else HTTP/1.1\r\n\r\n", 404, "Not found; use /metrics or /healthz"],
    ["POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405, "Method not allowed; use GET /metrics"],
    ["GET /metrics HTTP/1.1\r\nX: y\r\n".padEnd(20_000, "X: y\r\n"), 431, "at most 16 KiB"],
    ["GET /metrics\r\n\r\n", 400, "Not an HTTP request"],
    ['{"jsonrpc":"2.0","id":1,"method":"shutdown"}\r\n\r\n', 400, "Not an HTTP request"],
    ["GET /metrics?x=y HTTP/1.0\n\n", 200, "crank_generation"],
  ])("gets its error, and the connection is closed: %#", async (request, status, text) => {
    const crank = await start();
    const client = open(metricsPort(crank));
    client.socket.write(request);
    await waitFor("the answer", () => client.heard().includes(text));
    await client.ended;
    expect(client.heard()).toStartWith(`HTTP/1.1 ${status} `);
  });

  test("that never ends does not block other clients", async () => {
    const crank = await start();
    await run();
    const slow = Array.from({ length: 300 }, () => open(metricsPort(crank)));
    for (const { socket } of slow) socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n");
    // The first clients must be dropped; the last still have time.
    await waitFor("the first to be put out", () => slow.filter(({ socket }) => socket.closed).length >= 100);
    expect((await ask(crank, "/metrics")).status).toBe(200);
    expect((await web.ctl("ps")).stdout).toContain("READY");
  });
});

describe("clients that send an endless request slowly", () => {
  test("wake no supervisor, and delay no worker's replacement", async () => {
    const crank = await start("-respawn");
    await run();
    const before = await web.ready();
    let isOver = false;
    const trickle = async (): Promise<void> => {
      while (!isOver) {
        const { socket, ended } = open(metricsPort(crank));
        socket.write("GET /metrics HTTP/1.1\r\n");
        const timer = setInterval(() => socket.write("X: y\r\n".repeat(20)), 1);
        await Promise.race([ended, waitFor("the end", () => isOver)]);
        clearInterval(timer);
        socket.destroy();
      }
    };
    const trickling = [trickle(), trickle()];
    process.kill(before.pid, "SIGKILL");
    const begun = Date.now();
    await crank.wrote("stderr", /Worker 2 \(pid \d+, generation 1\) is ready/);
    expect(Date.now() - begun).toBeLessThan(10_000);
    isOver = true;
    await Promise.all(trickling);
    // The supervisor receives only complete request heads.
    expect((await ask(crank, "/healthz")).status).toBe(200);
  });
});

describe("-metrics", () => {
  test.each([
    ["udp://127.0.0.1:9180", 2, "crank: -metrics udp://127.0.0.1:9180: the address must be a tcp or unix stream"],
    ["nowhere.invalid:9180", 1, "nowhere.invalid"],
  ])("%s is refused with a sentence", async (address, status, sentence) => {
    const args = ["-metrics", address];
    const ended = await web.bench.run(web.crankCommand(...args));
    expect([ended.status, ended.stderr]).toEqual([status, expect.stringContaining(sentence)]);
  });

  test("at an address in use keeps crank from starting, and the message names it", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const address = `127.0.0.1:${taken.port}`;
    const args = ["-metrics", address];
    const ended = await web.bench.run(web.crankCommand(...args));
    taken.stop(true);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(`${address}: address already in use`);
  });
});
