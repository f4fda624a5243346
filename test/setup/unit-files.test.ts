// The units in contrib/systemd: as systemd-analyze reads them, as their README explains them, and as `make install-systemd`
// installs them.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Bench, ROOT } from "../e2e/harness/bench.ts";

const UNITS = join(ROOT, "contrib/systemd");
const files = readdirSync(UNITS, { recursive: true, encoding: "utf8" }).filter((path) =>
  /\.(service|socket|conf)$/.test(path),
);

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

/** The directives of a unit, except those that every unit has. */
const directivesOf = (path: string): string[] =>
  readFileSync(join(UNITS, path), "utf8")
    .split("\n")
    .flatMap((line) => /^([A-Z]\w+)=/.exec(line)?.[1] ?? []);

/** The unit with the commands of this build, beside the others of its folder. */
const unitsOf = (path: string): string => {
  const directory = join(bench.directory, path.replaceAll("/", "-"));
  mkdirSync(directory);
  const folder = join(UNITS, path, "..");
  for (const name of readdirSync(folder).filter((name) => /\.(service|socket)$/.test(name)))
    writeFileSync(
      join(directory, name),
      readFileSync(join(folder, name), "utf8").replaceAll("/usr/local/bin/", `${ROOT}/bin/`),
    );
  return directory;
};

/** Problems of this unit only, not of the machine's installed units, which systemd-analyze reads with it. */
const verify = async (unit: string) => {
  const ended = await bench.run(["systemd-analyze", "verify", "--man=no", unit]);
  return { ...ended, stderr: ended.stderr.replace(/^\/(usr\/)?(lib|etc)\/systemd\/.*\n/gm, "") };
};

const installedVersion = async (): Promise<number> =>
  Number(/^systemd (\d+)/.exec((await bench.run(["systemd-analyze", "--version"])).stdout)?.[1]);

describe.each(files.filter((path) => !path.endsWith(".conf")))("%s", (path) => {
  test("passes systemd-analyze verify", async () => {
    expect(await verify(join(unitsOf(path), basename(path)))).toMatchObject({ status: 0, stderr: "", stdout: "" });
  });
});

test("systemd-analyze verify reports an unknown directive", async () => {
  const unit = join(unitsOf("plain/web.service"), "web.service");
  writeFileSync(unit, readFileSync(unit, "utf8").replace("WatchdogSec=60", "WatchdogSek=60"));
  expect((await verify(unit)).stderr).toContain("WatchdogSek");
});

test("the drop-in for newer systemd versions passes where systemd knows its type, and is refused by name where it does not", async () => {
  const directory = unitsOf("plain/web.service");
  mkdirSync(join(directory, "web.service.d"));
  cpSync(join(UNITS, "notify-reload.conf"), join(directory, "web.service.d/notify-reload.conf"));
  const { stderr } = await verify(join(directory, "web.service"));
  if ((await installedVersion()) >= 253) expect(stderr).toBe("");
  else expect(stderr).toContain("notify-reload");
});

test("the README explains each file, and each directive that its name does not explain", () => {
  const readme = readFileSync(join(UNITS, "README.md"), "utf8");
  for (const path of files) expect(readme).toContain(path);
  const PLAIN =
    /^(Description|ExecStart|WantedBy|ListenStream|EnvironmentFile|Protect\w+|PrivateDevices|Restrict(SUIDSGID|Namespaces|Realtime|AddressFamilies)|LockPersonality|NoNewPrivileges|SystemCall\w+|CapabilityBoundingSet|UMask|RuntimeDirectory)$/;
  for (const directive of new Set(files.flatMap(directivesOf)))
    if (!PLAIN.test(directive)) expect(readme).toContain(`${directive}=`);
});

test("make install-systemd installs the template for the prefix that crank is installed in", async () => {
  const root = join(bench.directory, "root");
  const make = ["make", "-s", "-C", ROOT, `DESTDIR=${root}`, "PREFIX=/opt/crank"];
  expect(await bench.run([...make, "install-systemd"])).toMatchObject({ status: 0, stderr: "" });
  const unit = join(root, "opt/crank/lib/systemd/system/crank@.service");
  expect(readFileSync(unit, "utf8")).toContain("ExecStart=/opt/crank/bin/crank -name %i");
  expect(readFileSync(unit, "utf8")).not.toContain("/usr/local");
  expect(await bench.run([...make, "uninstall"])).toMatchObject({ status: 0 });
  expect(existsSync(unit)).toBe(false);
});
