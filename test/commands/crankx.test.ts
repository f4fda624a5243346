// crankx against scripted cranks: which services, in which order, and where it stops.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Desk } from "./harness/scripted-crank.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

const OK = { generation: 1, accepted: true, pids: [] };
const REFUSED = { code: 1, message: "Manager is shutting down" };
const serve = (...names: string[]) => {
  for (const name of names)
    desk.serve(name, (_, reply) => (name.includes("bad") ? reply.error(REFUSED) : reply.result(OK)));
};
/** What a rollout that was not waited for prints. */
const begun = (name: string): string => `${name}: generation 1 is rolling out; crankctl status shows its progress\n`;
const crankx = (...args: string[]) => desk.run("crankx", args);

describe("crankx", () => {
  test("runs the command for every service of the prefix, sorted by socket, and names each", async () => {
    serve("web-b", "web-a", "web", "api");
    expect(await crankx("web", "run", "-wait")).toEqual({
      status: 0,
      stdout: expect.stringMatching(
        new RegExp(
          `^${["web-a", "web-b", "web"].map((name) => `For ${name}\n${name}: generation 1 deployed in .* s\n`).join("")}$`,
        ),
      ),
      stderr: "",
    });
    expect(desk.asked.filter(({ method }) => method === "run")).toHaveLength(3);
  });

  test("stops at the first failure with its exit status, and names the remaining services", async () => {
    serve("web-1", "web-2-bad", "web-3", "web-4");
    const ended = await crankx("web-", "reload");
    expect(ended.status).toBe(1);
    expect(ended.stdout).toBe(`For web-1\n${begun("web-1")}For web-2-bad\n`);
    expect(ended.stderr).toBe(
      "crankctl reload: Manager is shutting down\ncrankx: 1 of 4 services failed: web-2-bad; not done: web-3, web-4\n",
    );
  });

  test("runs the others too with -keep-going, and still fails", async () => {
    serve("web-1-bad", "web-2");
    writeFileSync(join(desk.directory, "web-0.ctl"), "");
    const ended = await crankx("-keep-going", "web-", "reload");
    expect(ended.status).toBe(3);
    expect(ended.stdout).toEndWith(`For web-2\n${begun("web-2")}`);
    expect(ended.stderr).toEndWith("crankx: 2 of 3 services failed: web-0, web-1-bad\n");
  });

  test("runs several at once with -parallel, and keeps each one's output together", async () => {
    let answer: (() => void)[] = [];
    for (const name of ["web-1", "web-2", "web-3"])
      desk.serve(name, (_, reply) => {
        answer.push(() => reply.result([]));
        // None is answered before all three have asked: sequential requests would hang.
        if (answer.length === 3) for (const each of answer.splice(0)) each();
      });
    const together = await crankx("-parallel", "3", "web-", "history");
    expect(together.status).toBe(0);
    expect(together.stdout.match(/^For web-\d\n +GEN +AT/gm)).toHaveLength(3);
    answer = [];
  });

  test("passes endless output on line by line with -parallel, with the service's name", async () => {
    for (const name of ["web-1", "web-2"])
      desk.serve(name, (_, reply) => {
        reply.result({});
        reply.notify("log", { time: "2026-01-01T00:00:00.000Z", worker: 1, pid: 2, line: "hello" });
        reply.notify("logEnd", {});
      });
    const { stdout } = await crankx("-parallel", "2", "web-", "logs");
    for (const name of ["web-1", "web-2"]) expect(stdout).toContain(`${name}: Jan  1 00:00:00.000 id=1 pid=2 hello\n`);
  });

  test("prints only JSON documents on standard output with -json", async () => {
    serve("web-1", "web-2");
    const { stdout, stderr } = await crankx("web-", "reload", "-json");
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([OK, OK].map((result) => expect.objectContaining(result)));
    expect(stderr).toBe("For web-1\nFor web-2\n");
  });

  test("takes a prefix that starts with a dot or a slash as a path, and honours CRANK_PREFIX and -prefix", async () => {
    mkdirSync(join(desk.directory, "run"));
    serve("run/web", "web");
    for (const prefix of [`${desk.directory}/run/`, "./run/w"])
      expect(await crankx(prefix, "reload")).toMatchObject({ status: 0, stdout: `For web\n${begun("web")}` });
    expect((await desk.run("crankx", ["w", "reload"], { CRANK_PREFIX: `${desk.directory}/run` })).status).toBe(0);
    expect((await crankx("-prefix", "run/", "w", "reload")).status).toBe(0);
    expect(desk.asked).toHaveLength(4);
  });

  test("ignores the service in the environment", async () => {
    serve("web-1", "other");
    const env = { CRANK_NAME: "other", CRANK_CTL: `${desk.directory}/other.ctl` };
    expect((await desk.run("crankx", ["web-", "reload"], env)).stdout).toBe(`For web-1\n${begun("web-1")}`);
  });

  test("fails when no service matches, and when the directory does not exist", async () => {
    serve("web", ".hidden");
    expect(await crankx("nobody", "ps")).toEqual({
      status: 1,
      stdout: "",
      stderr: "crankx: no control socket begins with nobody\n",
    });
    const none = await crankx("./no/such/place", "ps");
    expect([none.status, none.stderr]).toEqual([1, expect.stringContaining("cannot search for control sockets: ")]);
    expect((await crankx(`${desk.directory}/`, "reload")).stdout).toBe(`For web\n${begun("web")}`);
  });

  test("prints its usage, with status 1 without a prefix and 0 for -h", async () => {
    const none = await crankx();
    const asked = await crankx("-h");
    expect([none.status, asked.status]).toEqual([1, 0]);
    expect(none.stdout).toStartWith("usage: crankx [flags] PREFIX CRANKCTL-ARGUMENT...\n");
    expect(asked.stdout).toBe(none.stdout);
  });

  test("refuses wrong usage before it sends a request", async () => {
    serve("web");
    expect(await crankx("web", "rnu")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("Did you mean run ("),
    });
    expect(await crankx("web", "ps", "-name", "x")).toMatchObject({ status: 2 });
    expect(await crankx("-parallel", "0", "web", "ps")).toMatchObject({ status: 2 });
    expect(desk.asked).toHaveLength(0);
  });
});
