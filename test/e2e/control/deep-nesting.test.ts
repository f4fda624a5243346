// Lists nested a hundred thousand deep, in every input that crank reads: each is answered with a sentence, and no supervisor
// dies of it.
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { scene } from "../harness/einhorn.ts";
import { Service } from "../harness/service.ts";

const DEEP = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;

const web = eachTest(new Service());

/** The first line of the answer to a line. */
const exchange = async (line: string): Promise<string> => {
  const talk = await web.control();
  talk.say(`${line}\n`);
  const [answer = ""] = await talk.hearsLines(1);
  return answer;
};

test("a request that nests too deep is refused, and the supervisor continues", async () => {
  await web.start();
  for (const line of [
    DEEP,
    `{"jsonrpc":"2.0","id":1,"method":"ps","params":${DEEP}}`,
    `{"jsonrpc":"2.0","id":1,"method":"ps","params":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`,
    `[{"command":"worker:ack","pid":${DEEP}}]`,
    `---%0Acommand: ${DEEP}%0A`,
  ])
    expect(JSON.parse(await exchange(line)).error.message).toContain("nests deeper than 32 levels");
  expect(await web.info()).toMatchObject({ supervisorDeaths: 0 });
});

test("a record that nests too deep is put aside, and crank starts without it", async () => {
  const path = web.path("web.conf");
  writeFileSync(path, `{"crank":{"version":1,"history":${DEEP}}}\n`);
  const crank = await web.start();
  await crank.wrote("stderr", `The record ${path} nests deeper than 32 levels`);
  expect(await web.run("--", ...RESPONDER, "one")).toMatchObject({ status: 0 });
});

scene(
  "a line to einhorn that nests too deep is a parse error, and the master's supervisor continues",
  async (stage) => {
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
  },
);
