// Builds the packages of a release: packaging/main.ts OUT. What needs a program that is not installed is left out, and named.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildDebian } from "./debian.ts";
import { buildNpm } from "./npm.ts";
import { buildImage } from "./oci.ts";
import { releaseFor } from "./release.ts";
import { buildRpm } from "./rpm.ts";
import { isInstalled, run } from "./run.ts";
import { billOfMaterials } from "./sbom.ts";
import { buildTarball } from "./tarball.ts";

const out = resolve(process.argv[2] ?? "build/packages");
const work = resolve("build/packaging");
const release = releaseFor(run("uname", ["-m"]).trim());
rmSync(out, { recursive: true, force: true });
rmSync(work, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
mkdirSync(work, { recursive: true });

const files = [buildTarball(release, work, out)];
if (isInstalled("dpkg-deb")) files.push(...buildDebian(release, work, out));
else console.error("packages: no .deb: dpkg-deb is not installed. Debian's package dpkg has it.");
if (isInstalled("rpmbuild")) files.push(...buildRpm(release, work, out));
else console.error("packages: no .rpm: rpmbuild is not installed. Debian: apt-get install rpm");
files.push(...buildNpm(release, work, out));
const image = buildImage(release, work, out);
const bill = `crank-${release.version}.cdx.json`;
writeFileSync(join(out, bill), billOfMaterials(release));
files.push(bill);

const sums = files.sort().map(
  (name) =>
    `${createHash("sha256")
      .update(readFileSync(join(out, name)))
      .digest("hex")}  ${name}\n`,
);
rmSync(work, { recursive: true, force: true });
writeFileSync(join(out, "SHA256SUMS"), sums.join(""));
console.log(
  [...files, `${image}/`, "SHA256SUMS"].map((name) => join(process.argv[2] ?? "build/packages", name)).join("\n"),
);
