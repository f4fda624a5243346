// Lists within lists, a hundred thousand deep, from wherever crank reads: each is answered by a sentence, and no supervisor
// ends over it.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { scene } from "./harness/einhorn.ts";
import { Bench, ROOT } from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");
const DEEP = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

/** The first line that is answered to a line. */
const exchange = (path: string, line: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let heard = "";
    const socket = connect(path, () => socket.write(`${line}\n`));
    socket.on("error", reject);
    socket.on("close", () => resolve(heard));
    socket.on("data", (bytes) => {
      heard += bytes.toString();
      if (heard.includes("\n")) socket.destroy();
    });
  });

test("a request that nests too deep is refused, and the supervisor goes on", async () => {
  await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  const path = join(bench.directory, "web.ctl");
  for (const line of [
    DEEP,
    `{"jsonrpc":"2.0","id":1,"method":"ps","params":${DEEP}}`,
    `{"jsonrpc":"2.0","id":1,"method":"ps","params":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`,
    `[{"command":"worker:ack","pid":${DEEP}}]`,
    `---%0Acommand: ${DEEP}%0A`,
  ])
    expect(JSON.parse(await exchange(path, line)).error.message).toContain("nests deeper than 32 levels");
  expect(JSON.parse((await bench.ctl("web", "info", "-json")).stdout)).toMatchObject({ supervisorDeaths: 0 });
});

test("a record that nests too deep is put aside, and crank begins without it", async () => {
  const path = join(bench.directory, "web.conf");
  writeFileSync(path, `{"crank":{"version":1,"history":${DEEP}}}\n`);
  const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
  await crank.wrote("stderr", `The record ${path} nests deeper than 32 levels`);
  expect(await bench.ctl("web", "run", "-wait", "--", "python3", RESPONDER, "one")).toMatchObject({ status: 0 });
});

scene("a line to einhorn that nests too deep cannot be parsed, and the master's supervisor goes on", async (stage) => {
  const master = stage.master([]);
  await stage.ready(1);
  for (const line of [DEEP, `{"command":${DEEP}}`, `---%0Acommand: ${DEEP}`])
    expect(await stage.exchange(`${line}\n`)).toContain("nests deeper than 32 levels");
  const below = Array.from({ length: 300 }, (_, depth) => `%0A${" ".repeat(depth)}-`).join("");
  for (const yaml of [`---${below}`, `---%0A${below}`])
    expect(await stage.exchange(`${yaml}\n`)).toBe("---%0Amessage: Could not parse command%0A\n");
  for (const config of [DEEP, "[".repeat(1000)])
    expect(await stage.exchange(`${JSON.stringify({ command: "config", args: [config] })}\n`)).toContain(
      "Invalid config",
    );
  expect(master.stdout() + master.stderr()).not.toContain("supervisor");
});
