// `make release`, in a clone of its own.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Bench, type Ended, ROOT } from "../e2e/harness/bench.ts";
import { VERSION } from "./built.ts";

let bench: Bench;
let clone = "";

beforeEach(async () => {
  bench = new Bench();
  clone = join(bench.directory, "clone");
  await sh(`git clone -q '${ROOT}' '${clone}'`, "/");
  const changelog = join(clone, "CHANGELOG.md");
  writeFileSync(
    changelog,
    readFileSync(changelog, "utf8").replace("## [Unreleased]", "## [Unreleased]\n\n- A change.\n"),
  );
  await sh("git config user.name T && git config user.email t@localhost && git commit -qam Change");
});
afterEach(() => bench.clean());

const sh = (script: string, cwd = clone): Promise<Ended> => bench.run(["sh", "-c", script], { cwd });

test.each([
  ["", "no version given"],
  ["1.2", "1.2: not a version"],
  ["1.2.3-rc1", "1.2.3-rc1: not a version"],
  ["1..3", "1..3: not a version"],
  ["0.0.1", `0.0.1 is older than the present version, ${VERSION}`],
  ["9.9.8", "the tag v9.9.8 exists"],
])("the version %p is refused, and nothing changes", async (version, why) => {
  await sh("git tag v9.9.8");
  const ended = await sh(`sh packaging/release-steps.sh ${version}`);
  expect(ended).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining(`release: ${why}`) });
  expect((await sh("git status --porcelain")).stdout).toBe("");
});

test("changes that are not committed, and a changelog without entries, are refused", async () => {
  await sh("echo >> README.md");
  expect((await sh("sh packaging/release-steps.sh 9.9.9")).stderr).toContain("changes that are not committed");
  await sh("git checkout -q README.md && sed -i '/^- /d' CHANGELOG.md && git commit -qam Empty");
  expect((await sh("sh packaging/release-steps.sh 9.9.9")).stderr).toContain("CHANGELOG.md has no entry");
});

test("a release sets the version everywhere, and is a commit and a tag with packages", async () => {
  await sh(`cp -al '${ROOT}/node_modules' . && mkdir build && cp -a '${ROOT}/build/engine' build`);
  const released = await sh("make -j2 release VERSION=9.9.9");
  expect(released).toMatchObject({ status: 0 });
  expect((await sh("git log -1 --format=%s && git tag --points-at HEAD && git status --porcelain")).stdout).toBe(
    "Release 9.9.9\nv9.9.9\n",
  );
  expect((await sh("bin/crank -version")).stdout).toBe("crank 9.9.9\n");
  expect((await sh("grep -c 'crank 9.9.9' man/crank.1 && grep -c '^## .9.9.9. - 20' CHANGELOG.md")).stdout).toBe(
    "1\n1\n",
  );
  expect((await sh("ls build/packages")).stdout).toContain("crank_9.9.9_");
}, 400_000);

test("a release whose checks fail leaves every file as it was", async () => {
  await sh(`cp -al '${ROOT}/node_modules' . && echo 'const x: number = "";' > src/wrong.ts`);
  await sh("git add -A && git commit -qm Wrong");
  expect((await sh("make release VERSION=9.9.9")).status).not.toBe(0);
  expect((await sh("git status --porcelain && git tag")).stdout).toBe("");
}, 400_000);
