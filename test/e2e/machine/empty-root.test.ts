// A root directory with nothing in it but crank, one static worker and /proc: no /dev, no /etc, no /tmp, no shell, no zone
// files, no user database. crank needs none of them.
import { beforeEach, expect, test } from "bun:test";
import { chownSync, cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { needing } from "../../needs.ts";
import { compiledStatically } from "../harness/apps.ts";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { descendants, supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const isPossible = Bun.spawnSync(["unshare", "--mount", "chroot", "/", "/bin/true"]).success;
const roots = { name: "root with mount namespaces", isMet: isPossible };

const web = eachTest(new Service());
let root: string;
beforeEach(() => {
  root = web.path("root");
  mkdirSync(join(root, "proc"), { recursive: true });
  mkdirSync(join(root, "run"));
  mkdirSync(join(root, "bin"));
  cpSync(CRANK, join(root, "bin/crank"));
  for (const name of ["crankctl", "runtime"]) symlinkSync("crank", join(root, "bin", name));
  cpSync(compiledStatically("worker"), join(root, "worker"));
});

/** The command line that runs a program there, as a user. */
const inside = (user: number, ...words: readonly string[]): readonly string[] => {
  const mounted = `mount --bind /proc "$1/proc" && cd "$1" && exec chroot --userspec="$2:$2" "$1" "\${@:3}"`;
  return ["unshare", "--mount", "bash", "-c", mounted, "bash", root, String(user), ...words];
};

const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, "utf8");

needing(roots).describe("in an empty root directory", () => {
  test.each([
    ["root", 0],
    ["a user without a name", 65534],
  ])("%s deploys, lists, sleeps, wakes and ends", async (_who, user) => {
    chownSync(join(root, "run"), user, user);
    const own = ["-prefix", "/run", "-name", "web"];
    const env = { TZ: ":/nonexistent", LANG: "tr_TR", HOME: undefined, TMPDIR: undefined };
    const start = ["/bin/crank", ...own, "-bind", "127.0.0.1:0", "-linger", "0"];
    const crank = await web.launch(inside(user, ...start), { env });
    const ctl = (...words: readonly string[]) =>
      web.bench.run(inside(user, "/bin/crankctl", ...own, ...words), { env });
    expect(await ctl("run", "-wait", "--", "/worker", "one")).toEqual({
      status: 0,
      stdout: expect.stringContaining(" deployed in "),
      stderr: "",
    });
    await web.answers("one", "once\n");
    const asleep = () =>
      waitFor("its sleep", () => supervisorOf(crank) === undefined && descendants(crank.pid).length === 1);
    await asleep();
    expect(await ctl("ps")).toMatchObject({ status: 0, stdout: expect.stringContaining("/worker one"), stderr: "" });
    await asleep();
    expect(await ctl("run", "-wait", "--", "/worker", "two")).toMatchObject({ status: 0, stderr: "" });
    await web.answers("two", "once\n");
    expect(await ctl("run", "-wait", "--", "/no/such/program")).toMatchObject({ status: 1 });
    expect(await ctl("shutdown", "-wait")).toMatchObject({ status: 0, stderr: "" });
    expect(await crank.ended).toMatchObject({ status: 0 });
  });

  test("a worker runs as a user given by numbers, and a name or a uid alone is refused with the reason", async () => {
    const own = ["-prefix", "/run", "-name", "web"];
    const crank = await web.launch(inside(0, "/bin/crank", ...own, "-bind", "127.0.0.1:0"));
    const run = (user: string) =>
      web.bench.run(inside(0, "/bin/crankctl", ...own, "run", "-user", user, "-wait", "--", "/worker", "one"));
    const unasked = "; getent, which knows users that are not in /etc/passwd, cannot be executed";
    const refused = (reason: string) => ({ status: 1, stderr: expect.stringContaining(reason) });
    expect(await run("www")).toMatchObject(refused(`No such user: "www"${unasked}`));
    expect(await run("4321")).toMatchObject(
      refused(`No user has the uid 4321, so its group is unknown${unasked}; give UID:GID`),
    );
    expect(await run("4321:4294967295")).toMatchObject(refused("4321:4294967295 is out of range"));
    expect(await run("4321:4322")).toEqual({ status: 0, stdout: expect.stringContaining(" deployed in "), stderr: "" });
    await web.answers("one", "once\n");
    const ids = descendants(crank.pid).map((pid) =>
      /^Uid:\t(\d+)[\s\S]*^Gid:\t(\d+)[\s\S]*^Groups:\t(.*)$/m.exec(statusOf(pid)),
    );
    expect(ids.map((found) => found?.slice(1).map((text) => text.trim()))).toContainEqual(["4321", "4322", "4322"]);
  });
});
