// The README's five minutes, followed literally: its server, its commands, and its claim that no request failed.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePorts } from "../e2e/harness/ports.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const section = readme.slice(readme.indexOf("## Five minutes"), readme.indexOf("## Read on"));

const blocks = (language: string): readonly string[] =>
  [...section.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map((match) => match[1] ?? "");

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "readme-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("the README's commands do what the README says, and no request fails", async () => {
  const [server = ""] = blocks("js");
  writeFileSync(join(directory, "server.mjs"), server);
  const [port = 0] = await freePorts(1);
  const script = blocks("sh")
    .join("\n")
    .replaceAll("$PWD/bin", join(ROOT, "bin"))
    .replaceAll("$HOME/.crank", join(directory, "files"))
    .replaceAll("8080", String(port));
  // On a slow machine crank may need longer to open its control socket than the README allows. And a person is never so fast
  // that the loop's last request is still in flight at the shutdown.
  const asking = `kill %2\nwhile pgrep -f "^curl -sS localhost:${port}" >/dev/null; do sleep 0.05; done`;
  const [first = "", ...later] = script.split(/^(?=crankctl)/m);
  const waiting = 'until crankctl -ctl "$CRANK_PREFIX/web.ctl" info >/dev/null 2>&1; do sleep 0.05; done\n';
  const commands = first + waiting + later.join("").replace("kill %2", asking);
  const ran = spawnSync("bash", ["-c", commands], { cwd: directory, encoding: "utf8" });

  expect(ran.stderr).not.toContain("curl:");
  expect(ran.stdout).toContain("goodbye from");
  expect(ran.stderr).toContain("broken.mjs");
  expect(ran.stdout.match(/^\d+ \d+ READY .*$/gm)).toHaveLength(3);
  expect(ran.stdout.match(/^\d+ \d+ READY .*hello.*$/gm)).toHaveLength(3);
  expect(ran.status).toBe(0);
});
