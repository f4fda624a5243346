// RPM packages, by rpmbuild from files that are installed already.
import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Release } from "./release.ts";
import { run } from "./run.ts";
import { packManuals, put, stage } from "./stage.ts";

const PREFIX = "/usr";

/** Builds `crank` and `crank-compat` into `out`. Returns the files' names. */
export const buildRpm = (release: Release, work: string, out: string): readonly string[] => {
  const top = join(work, "rpm");
  const root = stage(join(top, "root"), PREFIX, [
    "install",
    "install-compat",
    "install-completions",
    "install-systemd",
    "install-upgrader",
  ]);
  packManuals(root, PREFIX);
  put(root, "usr/lib/tmpfiles.d/crank.conf", readFileSync("packaging/tmpfiles.conf", "utf8"));
  const spec = join(top, "crank.spec");
  put(top, "crank.spec", specOf(release, root));
  const made = join(top, "made");
  rmSync(made, { recursive: true, force: true });
  const defines = [`_topdir ${top}`, `_rpmdir ${made}`, "_build_id_links none", "__os_install_post %{nil}"];
  const settings = [
    ...defines,
    "_buildhost localhost",
    "clamp_mtime_to_source_date_epoch 1",
    "use_source_date_epoch_as_buildtime 1",
  ];
  run(
    "rpmbuild",
    ["-bb", "--quiet", "--target", release.machine.kernel, ...settings.flatMap((text) => ["--define", text]), spec],
    {
      env: { SOURCE_DATE_EPOCH: String(release.epoch) },
    },
  );
  mkdirSync(out, { recursive: true });
  const built = run("find", [made, "-name", "*.rpm", "-printf", "%P\\n"]).split("\n").filter(Boolean).sort();
  return built.map((path) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    renameSync(join(made, path), join(out, name));
    return name;
  });
};

const specOf = ({ version, summary, description, license }: Release, root: string): string => `Name: crank
Version: ${version}
Release: 1
Summary: ${summary}
License: ${license}
AutoReqProv: no

%description
${description}

%package compat
Summary: Crank under the names of socketmaster, einhorn and einhyrningsins
Requires: crank = %{version}-%{release}
AutoReqProv: no

%description compat
The commands socketmaster, einhorn, einhornsh, einhyrningsins and einhyrningsinsctl as links to crank.

%install
cp -a ${root}/. %{buildroot}/

%files
/usr/bin/crank*
/usr/lib/crank
/usr/lib/systemd/system/crank@.service
/usr/lib/tmpfiles.d/crank.conf
/usr/share/man/man*/crank*
/usr/share/bash-completion/completions/crank*
%dir /usr/share/zsh
%dir /usr/share/zsh/site-functions
/usr/share/zsh/site-functions/_crankctl
%dir /usr/share/fish
%dir /usr/share/fish/vendor_completions.d
/usr/share/fish/vendor_completions.d/crank*

%files compat
/usr/bin/socketmaster
/usr/bin/ein*
/usr/share/man/man1/socketmaster.1.gz
/usr/share/man/man1/ein*

%post
systemd-tmpfiles --create crank.conf >/dev/null 2>&1 || install -d -m 0755 /run/crank /var/lib/crank
[ ! -d /run/systemd/system ] || systemctl daemon-reload
# 2 and more: an upgrade.
[ "$1" -lt 2 ] || sh /usr/lib/crank/upgrade-services

%preun
[ "$1" -ne 0 ] || [ ! -d /run/systemd/system ] || systemctl stop 'crank@*.service'

%postun
if [ "$1" -eq 0 ]; then rmdir /run/crank /var/lib/crank 2>/dev/null || true; fi
`;
