// Shell completion by crankctl: words from the tables and from running cranks, in time and without errors.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Desk } from "./harness/scripted-crank.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

/** The candidates' lines for these words; the last word is completed. */
const offered = async (...words: readonly string[]): Promise<readonly string[]> => {
  const ended = await desk.run("crankctl", ["__complete", ...words]);
  expect([ended.status, ended.stderr]).toEqual([0, ""]);
  return ended.stdout.split("\n").filter((line) => line !== "");
};

/** The candidates without their descriptions. */
const values = async (...words: readonly string[]): Promise<readonly string[]> =>
  (await offered(...words)).slice(1).map((line) => line.split("\t")[0] ?? "");

describe("completion offers", () => {
  test("commands, and the flags of a command without arguments", async () => {
    expect(await values("crankctl", "")).toContain("rollback");
    expect(await values("crankctl", "-json", "hi")).toEqual(["history"]);
    expect(await offered("crankctl", "rollback", "")).toContain(
      "-to\tthe generation to go back to (the one before the current)",
    );
    expect(await values("/usr/bin/crankctl", "reload", "--wa")).toEqual(["--wait"]);
    expect(await values("crankctl", "nosuch", "")).toEqual([]);
  });

  test("a flag's values after a space or an equals sign", async () => {
    expect(await values("crankctl", "run", "-kill-mode", "")).toEqual(["group", "process"]);
    expect(await values("crankctl", "run", "-kill-mode=p")).toEqual(["-kill-mode=process"]);
    expect(await values("crankctl", "run", "-stop-signal", "SIGU")).toEqual(["SIGUSR1", "SIGUSR2"]);
    expect(await values("crankctl", "run", "-live", "w")).toEqual(["watchdog:"]);
    expect(await values("crank", "-log-format", "")).toEqual(["text", "json", "raw"]);
    expect(await values("crankctl", "run", "-instances", "")).toEqual([]);
  });

  test("the kinds that the shell completes itself: directories, files, commands, users", async () => {
    expect(await offered("crankctl", "run", "-cwd", "")).toEqual(["directories"]);
    expect(await offered("crankctl", "upgrade", "-exec", "")).toEqual(["files"]);
    expect(await offered("crankctl", "run", "-wait", "")).toEqual(["command"]);
    expect(await offered("crankctl", "run", "--", "node", "")).toEqual(["files"]);
    expect(await offered("crankctl", "run", "-user", "")).toEqual(["users"]);
  });

  test("nothing for an unknown program", async () => {
    expect(await offered("ls", "")).toEqual([]);
    expect(await offered()).toEqual([]);
  });

  test("running services, and no stale sockets", async () => {
    desk.serve("web", () => {});
    desk.serve("worker", () => {});
    desk.serve("api", () => {});
    // This process leaves its socket behind.
    const path = join(desk.directory, "web-old.ctl");
    spawnSync("python3", ["-c", `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(path)})`]);
    expect(readdirSync(desk.directory)).toContain("web-old.ctl");
    expect(await values("crankctl", "ps", "-name", "")).toEqual(["api", "web", "worker"]);
    expect(await values("crankctl", "ps", "-name=w")).toEqual(["-name=web", "-name=worker"]);
    expect(await values("crankx", "w")).toEqual(["web", "worker"]);
    expect(await values("crankctl", "watch", "a")).toEqual(["api"]);
  });

  test("generations and pids of the service named on the command line or in the environment", async () => {
    desk.serve("web", ({ method }, reply) =>
      reply.result(
        method === "history"
          ? [
              {
                generation: 7,
                at: "",
                current: false,
                command: ["node", "a\tb\u001b[31m.js"],
                cwd: "/srv",
                instances: 1,
              },
              { generation: 9, at: "", current: true, command: ["x".repeat(200)], cwd: "/srv", instances: 1 },
            ]
          : [
              { pid: 4211, id: 3, state: "ready", generation: 9 },
              { pid: null, id: 4, state: "starting", generation: 9 },
            ],
      ),
    );
    desk.serve("other", (_, reply) => reply.result([]));
    const generations = await offered("crankctl", "rollback", "-name", "web", "-to", "");
    expect(generations).toEqual(["words", `9\tcurrent, ${"x".repeat(50)}…`, "7\tnode a\\tb\\x1b[31m.js in /srv"]);
    const lines = await offered("crankctl", "-name=web", "kill", "-pid", "");
    expect(lines).toEqual(["words", "4211\tworker 3, ready, generation 9"]);
    expect(await values("crankctl", "rollback", "-to", "")).toEqual([]);
    const named = await desk.run("crankctl", ["__complete", "crankctl", "logs", "-pid=4"], { CRANK_NAME: "web" });
    expect(named.stdout).toBe("words\n-pid=4211\tworker 3, ready, generation 9\n");
  });
});

test("a name or an answer that a shell could execute is not offered", async () => {
  desk.serve("web$(reboot)", () => {});
  desk.serve("web", (_, reply) => reply.result([{ generation: "1;reboot", command: [], cwd: "" }]));
  expect(await values("crankctl", "ps", "-name", "")).toEqual(["web"]);
  expect(await values("crankctl", "rollback", "-name", "web", "-to", "")).toEqual([]);
});

describe("completion answers in time and without an error when", () => {
  /** ms of the fastest of several runs, because other programs use the processors too. */
  const fastest = async (...words: readonly string[]): Promise<number> => {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 5; run++) {
      const begun = performance.now();
      expect(await values(...words)).toEqual([]);
      best = Math.min(best, performance.now() - begun);
    }
    return best;
  };

  test("a crank does not answer", async () => {
    desk.serve("web", () => {});
    expect(await fastest("crankctl", "rollback", "-name", "web", "-to", "")).toBeLessThan(100);
  });

  test("the socket belongs to another program", async () => {
    desk.serve("web", (_, reply) => reply.raw("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await fastest("crankctl", "kill", "-name", "web", "-pid", "")).toBeLessThan(100);
    desk.serve("strange", (_, reply) => reply.result(7));
    expect(await fastest("crankctl", "kill", "-name", "strange", "-pid", "")).toBeLessThan(100);
  });

  test("there is no crank, no directory or no socket", async () => {
    writeFileSync(join(desk.directory, "file.ctl"), "");
    expect(await values("crankctl", "ps", "-prefix", "/nowhere", "-name", "")).toEqual([]);
    expect(await values("crankctl", "ps", "-name", "")).toEqual([]);
    expect(await values("crankctl", "kill", "-name", "nosuch", "-pid", "")).toEqual([]);
    expect(await values("crankctl", "kill", "-ctl", "fd://9", "-pid", "")).toEqual([]);
  });
});

test("scripts exist for bash, zsh and fish, and other shells are refused", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const script = await desk.run("crankctl", ["completion", shell]);
    expect(script).toMatchObject({ status: 0, stderr: "" });
    expect(script.stdout).toContain(`for ${shell}. Written by "crankctl completion ${shell}".\n`);
  }
  expect((await desk.run("crankctl", ["completion", "tcsh"])).status).toBe(2);
  expect((await desk.run("crankctl", ["completion"])).status).toBe(2);
});

test("make install-completions installs them where the shells look, and make uninstall removes them", () => {
  const root = resolve(import.meta.dirname, "../..");
  const make = (target: string) =>
    spawnSync("make", ["--no-print-directory", "-s", `PREFIX=${desk.directory}/usr`, target], {
      cwd: root,
      encoding: "utf8",
    });
  expect(make("install-completions")).toMatchObject({ status: 0, stderr: "" });
  const files = () =>
    readdirSync(`${desk.directory}/usr/share`, { recursive: true, encoding: "utf8" })
      .filter((name) => name.includes("crank"))
      .sort();
  expect(files()).toEqual([
    "bash-completion/completions/crank",
    "bash-completion/completions/crankctl",
    "bash-completion/completions/crankx",
    "fish/vendor_completions.d/crank.fish",
    "fish/vendor_completions.d/crankctl.fish",
    "fish/vendor_completions.d/crankx.fish",
    "zsh/site-functions/_crankctl",
  ]);
  expect(make("uninstall").status).toBe(0);
  expect(files()).toEqual([]);
});
