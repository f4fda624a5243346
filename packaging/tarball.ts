// Tar archives of which two builds have the same bytes, and the package that is just one.
import { join } from "node:path";
import type { Release } from "./release.ts";
import { run } from "./run.ts";
import { stage } from "./stage.ts";

/** Writes a tar archive of a directory's contents, sorted, root's, with one time; GNU tar's options. */
export const tar = (release: Release, directory: string, file: string, compression: readonly string[] = []): void => {
  const fixed = ["--sort=name", `--mtime=@${release.epoch}`, "--owner=0", "--group=0", "--numeric-owner"];
  const names = ["--format=ustar", "--mode=u=rwX,go=rX", "-C", directory, "."];
  run("tar", [...fixed, ...compression, "-cf", file, ...names]);
};

/** `crank-VERSION-linux-MACHINE.tar.gz`: what `make install PREFIX=/` puts below one directory. Returns the file's name. */
export const buildTarball = (release: Release, work: string, out: string): string => {
  const name = `crank-${release.version}-linux-${release.machine.npm}`;
  const top = join(work, "tarball");
  stage(join(top, name), "", ["install", "install-compat", "install-completions"]);
  const file = `${name}.tar.gz`;
  tar(release, top, join(out, file), ["--use-compress-program=gzip -9n"]);
  return file;
};
