// A root directory with nothing in it but crank, one static worker and /proc: no /dev, no /etc, no /tmp, no shell, no zone
// files, no user database. crank needs none of them.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chownSync, cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { needing } from "../needs.ts";
import { compiledBy } from "./harness/apps.ts";
import { Bench, CRANK, descendants, portOf, supervisorOf, waitFor } from "./harness/service.ts";

const isPossible = Bun.spawnSync(["unshare", "--mount", "chroot", "/", "/bin/true"]).success;
const roots = { name: "root with mount namespaces", isMet: isPossible };

let bench: Bench;
let root: string;
beforeEach(() => {
  bench = new Bench();
  root = join(bench.directory, "root");
  mkdirSync(join(root, "proc"), { recursive: true });
  mkdirSync(join(root, "run"));
  mkdirSync(join(root, "bin"));
  cpSync(CRANK, join(root, "bin/crank"));
  for (const name of ["crankctl", "runtime"]) symlinkSync("crank", join(root, "bin", name));
  cpSync(compiledBy(process.env.CC ?? "cc", "worker", ["-static"], "-static"), join(root, "worker"));
});
afterEach(() => bench.clean());

/** The command line that runs a program there, as a user. */
const inside = (user: number, ...words: readonly string[]): readonly string[] => {
  const mounted = `mount --bind /proc "$1/proc" && cd "$1" && exec chroot --userspec="$2:$2" "$1" "\${@:3}"`;
  return ["unshare", "--mount", "bash", "-c", mounted, "bash", root, String(user), ...words];
};

const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, "utf8");

const answer = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const client = connect(port, "127.0.0.1", () => client.write("once\n"));
    client.on("data", (bytes) => resolve(bytes.toString().split(" ")[0] ?? "")).on("error", reject);
  });

needing(roots).describe("in an empty root directory", () => {
  test.each([
    ["root", 0],
    ["a user without a name", 65534],
  ])("%s deploys, lists, sleeps, wakes and ends", async (_who, user) => {
    chownSync(join(root, "run"), user, user);
    const own = ["-prefix", "/run", "-name", "web"];
    const env = { TZ: ":/nonexistent", LANG: "tr_TR", HOME: undefined, TMPDIR: undefined };
    const start = ["/bin/crank", ...own, "-bind", "127.0.0.1:0", "-linger", "0"];
    const crank = bench.start(inside(user, ...start), { env });
    const ctl = (...words: readonly string[]) => bench.run(inside(user, "/bin/crankctl", ...own, ...words), { env });
    await crank.wrote("stderr", "Listening on");
    expect(await ctl("run", "-wait", "--", "/worker", "one")).toEqual({
      status: 0,
      stdout: "Started successfully\n",
      stderr: "",
    });
    expect(await answer(portOf(crank))).toBe("one");
    const asleep = () =>
      waitFor("its sleep", () => supervisorOf(crank) === undefined && descendants(crank.pid).length === 1);
    await asleep();
    expect(await ctl("ps")).toMatchObject({ status: 0, stdout: expect.stringContaining("/worker one"), stderr: "" });
    await asleep();
    expect(await ctl("run", "-wait", "--", "/worker", "two")).toMatchObject({ status: 0, stderr: "" });
    expect(await answer(portOf(crank))).toBe("two");
    expect(await ctl("run", "-wait", "--", "/no/such/program")).toMatchObject({ status: 1 });
    expect(await ctl("shutdown", "-wait")).toMatchObject({ status: 0, stderr: "" });
    expect(await crank.ended).toMatchObject({ status: 0 });
  });

  test("a worker gets a user by its numbers, and a name or a uid alone is refused with the reason", async () => {
    const own = ["-prefix", "/run", "-name", "web"];
    const crank = bench.start(inside(0, "/bin/crank", ...own, "-bind", "127.0.0.1:0"));
    const run = (user: string) =>
      bench.run(inside(0, "/bin/crankctl", ...own, "run", "-user", user, "-wait", "--", "/worker", "one"));
    await crank.wrote("stderr", "Listening on");
    const unasked = ", and getent, which knows users that are not in /etc/passwd, cannot be executed";
    const refused = (reason: string) => ({ status: 1, stderr: expect.stringContaining(reason) });
    expect(await run("www")).toMatchObject(refused(`There is no user "www"${unasked}`));
    expect(await run("4321")).toMatchObject(
      refused(`There is no user with the uid 4321, so its group is not known${unasked}; give UID:GID`),
    );
    expect(await run("4321:4294967295")).toMatchObject(refused("4321:4294967295 are no uid and gid"));
    expect(await run("4321:4322")).toEqual({ status: 0, stdout: "Started successfully\n", stderr: "" });
    expect(await answer(portOf(crank))).toBe("one");
    const ids = descendants(crank.pid).map((pid) =>
      /^Uid:\t(\d+)[\s\S]*^Gid:\t(\d+)[\s\S]*^Groups:\t(.*)$/m.exec(statusOf(pid)),
    );
    expect(ids.map((found) => found?.slice(1).map((text) => text.trim()))).toContainEqual(["4321", "4322", "4322"]);
  });
});
