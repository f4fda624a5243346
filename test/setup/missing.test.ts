// A missing tool is reported in one sentence: the compiler, its static library, node, npm.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cloneInto, type Ran, run, sparsePath } from "./command.ts";

/** One clone for all tests: each of them fails before anything is built. */
let clone = "";
beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), "setup-clone-"));
  cloneInto(clone);
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "setup-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What make prints while another of its jobs still runs. */
const WAITING = "make: *** Waiting for unfinished jobs....";

/** crank's own sentences on standard error; the rest is make's line on which target failed. */
const sentences = (ran: Ran): readonly string[] => {
  const lines = ran.stderr
    .trimEnd()
    .split("\n")
    .filter((line) => line !== WAITING);
  const own = lines.filter((line) => !line.startsWith("make: ***") && !line.startsWith("make[1]: ***"));
  expect(lines.length - own.length).toBeLessThanOrEqual(1);
  return own;
};

describe("make", () => {
  const path = (extra: Readonly<Record<string, string | null>>): string => sparsePath(join(directory, "path"), extra);

  test("says in one sentence that there is no C compiler", () => {
    const ran = run("make", ["bin/crank"], { cwd: clone, env: { PATH: path({}) } });
    expect(ran.status).not.toBe(0);
    expect(sentences(ran)).toEqual([expect.stringMatching(/^crank: a C compiler is missing.*apt-get install gcc/)]);
  });

  test("says in one sentence that the requested compiler is missing", () => {
    const ran = run("make", ["CC=no-such-compiler", "bin/crank"], { cwd: clone });
    expect(sentences(ran)).toEqual([expect.stringMatching(/^crank: a C compiler is missing \('no-such-compiler'/)]);
  });

  test("says in one sentence that the C library has no static archive", () => {
    const cc = path({ cc: 'for word in "$@"; do test "$word" != -static || exit 1; done; exec /usr/bin/cc "$@"' });
    const ran = run("make", ["bin/crank"], { cwd: clone, env: { PATH: `${cc}:/usr/bin:/bin` } });
    expect(sentences(ran)).toEqual([expect.stringMatching(/^crank: 'cc' cannot link a static program.*libc6-dev/)]);
  });

  test("says in one sentence that node is missing", () => {
    const ran = run("make", ["node_modules/.crank-installed"], { cwd: clone, env: { PATH: path({}) } });
    expect(sentences(ran)).toEqual([expect.stringMatching(/^crank: node is missing: install Node.js 20 or newer/)]);
  });

  test("says in one sentence that node is too old", () => {
    const node = 'case "$1" in -p) echo 18 ;; *) echo v18.19.0 ;; esac';
    const ran = run("make", ["node_modules/.crank-installed"], { cwd: clone, env: { PATH: path({ node }) } });
    expect(sentences(ran)).toEqual(["crank: node is too old: v18.19.0 is here, and 20 or newer is needed"]);
  });

  test("says in one sentence that npm is missing", () => {
    const ran = run("make", ["node_modules/.crank-installed"], { cwd: clone, env: { PATH: path({ node: null }) } });
    expect(sentences(ran)).toEqual([expect.stringMatching(/^crank: npm is missing: install it/)]);
  });

  test("says why npm could not install: npm's words and one sentence", () => {
    const npm = "echo 'npm error network is down' >&2; exit 1";
    const ran = run("make", ["node_modules/.crank-installed"], {
      cwd: clone,
      env: { PATH: path({ node: null, npm }) },
    });
    const [words, sentence, ...more] = sentences(ran);
    expect(words).toBe("npm error network is down");
    expect(sentence).toMatch(/^crank: npm could not install/);
    expect(more).toEqual([]);
  });
});
