// The alerts and the dashboard of contrib, in a real Prometheus that scrapes a real crank under load.
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "../e2e/harness/apps.ts";
import { ROOT } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { Load } from "../e2e/harness/load.ts";
import { freePorts } from "../e2e/harness/ports.ts";
import { Service } from "../e2e/harness/service.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { needing } from "../needs.ts";

/** Debian's package starts a server of its own, so `make test` does not install it. */
const PROMETHEUS = needing({ name: "prometheus", isMet: Bun.which("promtool") !== null });
const RULES = join(ROOT, "contrib/prometheus");
const web = eachTest(new Service({ app: [compiled("worker")] }));

type Panel = { readonly title: string; readonly targets: readonly { readonly expr: string }[] };
type Dashboard = { readonly panels: readonly Panel[] };
// The type is certain, because the file belongs to the project.
const dashboard = JSON.parse(readFileSync(join(ROOT, "contrib/grafana/crank.json"), "utf8")) as Dashboard;

/** An expression as Grafana sends it, with its variables replaced. */
const sent = (expr: string): string => expr.replaceAll("$instance", ".*").replaceAll("$__rate_interval", "1m");

/** Starts a Prometheus that scrapes the address. Returns its own address. */
const prometheus = async (scraped: string): Promise<string> => {
  const [port] = await freePorts(1);
  const config = `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [${RULES}/alerts.yml]
scrape_configs: [{ job_name: crank, static_configs: [{ targets: ["${scraped}"] }] }]
`;
  writeFileSync(web.path("prometheus.yml"), config);
  const address = `127.0.0.1:${port}`;
  const files = [`--config.file=${web.path("prometheus.yml")}`, `--storage.tsdb.path=${web.path("tsdb")}`];
  const server = web.bench.start(["prometheus", ...files, `--web.listen-address=${address}`]);
  await server.wrote("stderr", "Server is ready to receive web requests");
  return address;
};

type Answer = { readonly status: string; readonly data: { readonly result: readonly unknown[] } };

/** The current samples of an expression. Throws if Prometheus does not accept it. */
const query = async (address: string, expr: string): Promise<readonly unknown[]> => {
  const answered = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expr)}`);
  const text = await answered.text();
  if (answered.status !== 200) throw new Error(`${expr}: ${text}`);
  // The type is that of Prometheus's HTTP API.
  return (JSON.parse(text) as Answer).data.result;
};

PROMETHEUS.test("the alert rules are valid and pass their unit tests", async () => {
  for (const command of ["check rules alerts.yml", "test rules alerts-test.yml"])
    expect(await web.bench.run(["promtool", ...command.split(" ")], { cwd: RULES })).toMatchObject({ status: 0 });
});

PROMETHEUS.test(
  "every panel of the dashboard shows data of a crank that deploys under load, and no alert fires",
  async () => {
    const [port = 0] = await freePorts(1);
    await web.start("-metrics", `127.0.0.1:${port}`);
    await web.app("one");
    const address = await prometheus(`127.0.0.1:${port}`);
    const clients = new Load({ port: web.port, anew: 2, pauseMs: 10, stays: 10, talkMs: 100 });
    web.hold(() => void clients.stop());
    await waitFor("clients that stay", () => clients.staying === 10);
    await web.app("two");
    const panels = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
    expect(panels.length).toBeGreaterThan(20);
    for (const { title, expr } of panels)
      await waitFor(`data for ${title}: ${expr}`, async () => (await query(address, sent(expr))).length > 0);
    expect(await query(address, 'ALERTS{alertstate="firing"}')).toEqual([]);
  },
);
