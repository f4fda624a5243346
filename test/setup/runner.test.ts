// The test runner: what it prints first, what it leaves out and why, and the table of packages.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { mountNamespaces, needing } from "../needs.ts";
import { failuresFirst, failuresIn, needsIn, skippedIn } from "../runner/output.ts";
import { countProcessorTime } from "../runner/processor-time.ts";
import { ROOT, run, sparsePath } from "./command.ts";

const OUTPUT = `bun test v1.4.4

test/some.test.ts:
(pass) a group > does this [0.06ms]
error: expect(received).toBe(expected)
      at <anonymous> (test/some.test.ts:3:48)
(fail) a group > does that [0.26ms]
(pass) a group > does a third thing [1.03ms]
(fail) another test [105.80ms]
  ^ this test timed out after 100ms.
(skip) a fourth

 2 pass
 2 fail

2 tests failed:
(fail) another test [105.80ms]`;

test("failed tests are listed first, each once", () => {
  expect(failuresIn(OUTPUT)).toEqual(["a group > does that", "another test"]);
  expect(failuresFirst(OUTPUT).split("\n").slice(0, 3)).toEqual([
    "failed: a group > does that",
    "failed: another test",
    "bun test v1.4.4",
  ]);
});

test("the reasons for failures are kept, and passed tests are left out", () => {
  const lines = failuresFirst(OUTPUT).split("\n");
  expect(lines.filter((line) => /^\((pass|skip)\)/.test(line))).toEqual([]);
  expect(lines).toContain("error: expect(received).toBe(expected)");
  expect(lines).toContain("  ^ this test timed out after 100ms.");
});

test("skipped tests are listed, with what their names say is missing", () => {
  expect(skippedIn(OUTPUT)).toEqual(["a fourth"]);
  const output =
    "(skip) signals (needs root) [0.02ms]\n(skip) puma (needs puma, ruby): 20 deploys\n(skip) reads (needs root)\n(skip) an image (make engine) > starts";
  expect(skippedIn(output)).toContain("puma (needs puma, ruby): 20 deploys");
  expect([...needsIn(output)]).toEqual([
    ["root", 2],
    ["puma, ruby", 1],
    ["make engine", 1],
  ]);
});

describe("a run", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "runner-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const runner = (words: readonly string[], env: Readonly<Record<string, string>>) =>
    run(process.execPath, ["test/run.ts", ...words], { env: { CRANK_TEST_INSTALL: "no", ...env } });
  const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1) ?? "";

  test("skips what needs a missing package, says how to install it, and counts it apart", () => {
    const PATH = sparsePath(join(directory, "path"), { id: null });
    const ran = runner(["workers/measuring", "control/client"], { PATH });
    expect(ran.stdout).toMatch(/^without python3, tests in .* are left out; to have it: apt-get install python3$/m);
    expect(ran.stdout).toContain("not run: test/e2e/workers/measuring.test.ts: python3\n");
    expect(lastLine(ran.stdout)).toMatch(/^\d+ passed, 0 failed, 1 not run: python3$/);
    expect(ran.status).toBe(0);
  });

  test("that times out lists what did not run, and counts none of it as failed", () => {
    const ran = runner(["control/client", "setup/command"], { CRANK_TEST_SECONDS: "0.001" });
    expect(ran.stdout).toContain("not run: test/control/client.test.ts: the limit of 0.001 s was reached\n");
    expect(lastLine(ran.stdout)).toBe("0 passed, 0 failed, 1 not run: the limit of 0.001 s was reached");
    expect(ran.status).toBe(1);
  });

  needing(mountNamespaces()).test(
    "starts once where other users can reach neither the checkout nor the temporary directory",
    () => {
      const closed =
        'mount -t tmpfs -o mode=700 none "$1" && mkdir "$1/checkout" && mount --bind . "$1/checkout" && cd "$1/checkout"';
      const limited = 'TMPDIR=$1 exec timeout 60 "$2" test/run.ts no-such-file';
      const inside = ["sh", "-c", `${closed} && ${limited}`, "sh", directory, process.execPath];
      const ran = run("unshare", ["--mount", "--pid", "--fork", "--kill-child", ...inside]);
      expect(ran.stdout).toBe("no test file was found\n0 passed, 1 failed\n");
    },
  );
});

const GROUPS = { name: "root with control groups of its own", isMet: countProcessorTime()?.end() !== undefined };

needing(GROUPS).test("a file's processor time includes processes that left their parent", () => {
  const counted = countProcessorTime();
  // The outer shell waits for a line, so that it is counted from its start; cat ends with the inner shell, which has left.
  const busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; times";
  const script = `read line; (setsid sh -c '${busy}' &) | cat`;
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
  counted?.add(child.pid ?? 0);
  child.stdin.end("begin\n");
  return new Promise<void>((resolve) => {
    let times = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      times += text;
    });
    child.on("close", () => {
      const [, user = "", system = ""] = /^0m([\d.]+)s 0m([\d.]+)s$/m.exec(times) ?? [];
      expect(Number(user)).toBeGreaterThan(0);
      expect(counted?.end()).toBeGreaterThanOrEqual((Number(user) + Number(system)) * 1000);
      resolve();
    });
  });
});

describe("the table of packages", () => {
  const script = readFileSync(join(ROOT, "tools/test-packages.sh"), "utf8");
  const rows = [...script.matchAll(/^([\w-]+)\|[^|\n]+\|([^|\n]*)\|([^|\n]*)$/gm)].map(
    ([, name = "", whole, single]) => ({
      name,
      files: `${whole} ${single}`.split(" ").filter((file) => file !== ""),
    }),
  );
  const testFiles = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts") && !path.startsWith("recipes/"))
    .map((path) => `test/${path}`);

  /** The source of the file and of the test modules that it imports, without comments. */
  const textOf = (file: string, seen = new Set<string>()): string => {
    if (seen.has(file)) return "";
    seen.add(file);
    const text = readFileSync(join(ROOT, file), "utf8").replace(/^\s*\/\/.*$/gm, "");
    const imports = [...text.matchAll(/^(?:import|export|\}).* from "(\.[^"]+)"/gm)].map(([, path = ""]) =>
      normalize(join(dirname(file), path)),
    );
    return [text, ...imports.filter((path) => path.startsWith("test/")).map((path) => textOf(path, seen))].join("\n");
  };

  /** How a test shows that it starts the package's program. */
  const STARTS: Readonly<Record<string, RegExp>> = {
    python3: /"python3"|"\/usr\/bin\/python3"/,
    git: /\bcloneInto\(/,
    tmux: /"tmux"/,
    "man-db": /spawnSync\("man"/,
    curl: /"curl|\bcurl:/,
    procps: /\bpgrep\b/,
    systemd: /systemd-socket-activate|systemd-analyze/,
    "python3-prometheus-client": /prometheus_client/,
    ruby: /"ruby", (ruby|"-e"|join)/,
    "golang-go": /spawnSync\("go"/,
  };

  test("names files that exist", () => {
    expect(rows.length).toBeGreaterThan(15);
    for (const { files } of rows)
      for (const beginning of files) expect(testFiles.filter((file) => file.startsWith(beginning))).not.toEqual([]);
  });

  test.each(Object.entries(STARTS))("names every file that starts a program of %s", (name, starts) => {
    const files = rows.find((row) => row.name === name)?.files ?? [];
    const unnamed = testFiles.filter((file) => !files.some((beginning) => file.startsWith(beginning)));
    const itself = "test/setup/runner.test.ts";
    expect(unnamed.filter((file) => file !== itself && starts.test(textOf(file)))).toEqual([]);
  });
});
