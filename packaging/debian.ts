// Debian packages: `crank`, and `crank-compat` with the names of other tools.
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Release } from "./release.ts";
import { run } from "./run.ts";
import { packManuals, put, stage } from "./stage.ts";

const MAINTAINER = "The Crank developers <crank@localhost>";
const PREFIX = "/usr";

/** Builds both packages into `out`. Returns the files' names. */
export const buildDebian = (release: Release, work: string, out: string): readonly string[] => [
  buildMain(release, join(work, "deb"), out),
  buildCompat(release, join(work, "deb-compat"), out),
];

const buildMain = (release: Release, root: string, out: string): string => {
  stage(root, PREFIX, ["install", "install-completions", "install-systemd", "install-upgrader"]);
  packManuals(root, PREFIX);
  documents(root, "crank");
  put(root, "usr/lib/tmpfiles.d/crank.conf", readFileSync("packaging/tmpfiles.conf", "utf8"));
  control(release, root, {
    Package: "crank",
    Architecture: release.machine.debian,
    Suggests: "crank-compat",
    Section: "admin",
    Description: described(release.summary, release.description),
  });
  for (const script of readdirSync("packaging/debian"))
    put(root, `DEBIAN/${script}`, readFileSync(join("packaging/debian", script), "utf8"), 0o755);
  return pack(release, root, join(out, `crank_${release.version}_${release.machine.debian}.deb`));
};

const buildCompat = (release: Release, root: string, out: string): string => {
  stage(root, PREFIX, ["install-compat"]);
  packManuals(root, PREFIX);
  documents(root, "crank-compat");
  const text =
    "The commands socketmaster, einhorn, einhornsh, einhyrningsins and einhyrningsinsctl as links to crank, which " +
    "behaves like these programs when it is called by their names.";
  control(release, root, {
    Package: "crank-compat",
    Architecture: "all",
    Depends: `crank (>= ${release.version})`,
    Section: "admin",
    Description: described("Crank under the names of socketmaster, einhorn and einhyrningsins", text),
  });
  return pack(release, root, join(out, `crank-compat_${release.version}_all.deb`));
};

/** The licences, where Debian looks for them. */
const documents = (root: string, name: string): void => {
  const others = readdirSync("LICENSES").sort();
  const licenses = [
    readFileSync("LICENSE", "utf8"),
    ...others.map((file) => readFileSync(join("LICENSES", file), "utf8")),
  ];
  put(root, `usr/share/doc/${name}/copyright`, licenses.join(`\n${"-".repeat(72)}\n\n`));
  const changes = join(root, `usr/share/doc/${name}/changelog`);
  put(root, `usr/share/doc/${name}/changelog`, readFileSync("CHANGELOG.md", "utf8"));
  run("gzip", ["-9n", changes]);
  if (name === "crank") copyFileSync("README.md", join(root, `usr/share/doc/${name}/README.md`));
};

/** deb-control(5): the summary on the first line, the description on lines that begin with a space. */
const described = (summary: string, text: string): string =>
  [summary, ...(text.match(/.{1,76}(?: |$)/g) ?? []).map((line) => line.trim())].join("\n ");

type Control = Readonly<Record<string, string>>;

const control = (release: Release, root: string, { Package = "", ...fields }: Control): void => {
  const size = run("du", ["-sk", "--apparent-size", root]).split("\t")[0] ?? "0";
  const all: Control = {
    Package,
    Version: release.version,
    Maintainer: MAINTAINER,
    "Installed-Size": size,
    Priority: "optional",
    ...fields,
  };
  put(
    root,
    "DEBIAN/control",
    Object.entries(all)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(""),
  );
  const files = run("find", [".", "-type", "f", "-not", "-path", "./DEBIAN/*", "-printf", "%P\\n"], { cwd: root });
  put(root, "DEBIAN/md5sums", run("md5sum", files.split("\n").filter(Boolean).sort(), { cwd: root }));
};

/** dpkg-deb gives no file a time after SOURCE_DATE_EPOCH: all were made after it. */
const pack = (release: Release, root: string, file: string): string => {
  run("chmod", ["-R", "u=rwX,go=rX", root]);
  run("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", root, file], {
    env: { SOURCE_DATE_EPOCH: String(release.epoch) },
  });
  return basename(file);
};
