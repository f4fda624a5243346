// What needs no package manager: the tarball, the checksums, the image layout; and the RPM packages, as far as Debian's rpm
// supports them.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compiledStatically } from "../e2e/harness/apps.ts";
import { Bench, portOf, ROOT } from "../e2e/harness/bench.ts";
import { needing, ROOT_USER } from "../needs.ts";
import { BareDebian, DEBIAN } from "./bare-debian.ts";
import { PACKAGES, packageLike, VERSION } from "./built.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const installed = (program: string) => ({ name: program, isMet: Bun.which(program) !== null });

test("the checksums cover every file and match", async () => {
  const checked = await bench.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd: PACKAGES });
  expect(checked.status).toBe(0);
  const files = readdirSync(PACKAGES, { withFileTypes: true }).filter((entry) => entry.isFile());
  expect(checked.stdout.trim().split("\n")).toHaveLength(files.length - 1);
});

needing(ROOT_USER).test("the tarball runs from any directory, as another user, under every name", async () => {
  await bench.run(["tar", "-xzf", packageLike(/\.tar\.gz$/), "-C", bench.directory]);
  const [top = ""] = readdirSync(bench.directory);
  const bin = join(bench.directory, top, "bin");
  expect(readdirSync(bin).sort()).toEqual(
    readdirSync(join(ROOT, "bin"))
      .filter((name) => name !== "runtime")
      .sort(),
  );
  await bench.run(["chown", "65534:65534", bench.directory]);
  const as = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const crank = bench.start([
    ...as,
    join(bin, "crank"),
    "-prefix",
    bench.directory,
    "-name",
    "web",
    "-bind",
    "127.0.0.1:0",
  ]);
  await crank.wrote("stderr", "Listening on");
  const run = ["-prefix", bench.directory, "-name", "web", "run", "-wait", "--", compiledStatically("worker"), "one"];
  expect(await bench.run([...as, join(bin, "crankctl"), ...run])).toMatchObject({ status: 0 });
  expect(portOf(crank)).toBeGreaterThan(0);
});

test("the bill of materials names every component with a license in the program", () => {
  // The type is certain, because this checkout wrote the file.
  const bill = JSON.parse(readFileSync(packageLike(/\.cdx\.json$/), "utf8")) as {
    readonly specVersion: string;
    readonly metadata: { readonly component: { readonly version: string } };
    readonly components: readonly { readonly name: string }[];
  };
  expect(bill.specVersion).toBe("1.6");
  expect(bill.metadata.component.version).toBe(VERSION);
  expect(bill.components).toHaveLength(readdirSync(join(ROOT, "LICENSES")).length);
});

needing(installed("skopeo"), installed("umoci"), ROOT_USER).test(
  "the image layout is valid, and its file system holds only the program and its names",
  async () => {
    const layout = join(PACKAGES, `crank-${VERSION}-oci`);
    const inspected = await bench.run(["skopeo", "inspect", "--config", `oci:${layout}:${VERSION}`]);
    expect(JSON.parse(inspected.stdout)).toMatchObject({ os: "linux", config: { Entrypoint: ["/usr/bin/crank"] } });
    const bundle = join(bench.directory, "bundle");
    expect(await bench.run(["umoci", "unpack", "--image", `${layout}:${VERSION}`, bundle])).toMatchObject({
      status: 0,
    });
    const root = join(bundle, "rootfs");
    expect(readdirSync(join(root, "usr/bin")).sort()).toEqual(["crank", "crankctl", "crankx"]);
    mkdirSync(join(root, "proc"));
    const script = `mount -t proc proc '${root}/proc' && exec chroot '${root}' /usr/bin/crank -version`;
    const ran = await bench.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]);
    expect(ran).toEqual({ status: 0, stdout: `crank ${VERSION}\n`, stderr: "" });
  },
);

needing(installed("rpm"), DEBIAN).test(
  "the RPM packages install into a system, run there, and leave nothing behind when removed",
  async () => {
    const debian = await BareDebian.make(bench);
    const [main, compat] = [packageLike(/^crank-\d.*\.rpm$/), packageLike(/^crank-compat.*\.rpm$/)];
    const before = (await debian.run("find", "/etc", "/usr", "/run")).stdout.split("\n");
    const rpm = ["rpm", "--root", debian.directory, "--nodeps"];
    expect(await bench.run([...rpm, "-i", main, compat])).toMatchObject({ status: 0 });
    expect((await debian.run("crank", "-version")).stdout).toBe(`crank ${VERSION}\n`);
    expect((await debian.run("einhyrningsins", "--version")).stdout).toContain("einhyrningsins 0.2.0");
    expect(await bench.run([...rpm, "-e", "crank-compat", "crank"])).toMatchObject({ status: 0 });
    const after = (await debian.run("find", "/etc", "/usr", "/run")).stdout.split("\n");
    expect(after.filter((path) => !before.includes(path))).toEqual([]);
  },
);
