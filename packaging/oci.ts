// A container image of the program alone, as an OCI image layout: a directory of JSON and one layer. A Dockerfile takes the
// program from it with COPY --from.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Release } from "./release.ts";
import { tar } from "./tarball.ts";

type Descriptor = { readonly mediaType: string; readonly digest: string; readonly size: number };

const PREFIX = "application/vnd.oci.image";

/** Builds the directory `crank-VERSION-oci` in `out`. Returns its name. */
export const buildImage = (release: Release, work: string, out: string): string => {
  const root = join(work, "oci-root");
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  cpSync("bin/crank", join(root, "usr/bin/crank"));
  for (const name of ["crankctl", "crankx"]) symlinkSync("crank", join(root, "usr/bin", name));
  const name = `crank-${release.version}-oci`;
  const layout = join(out, name);
  rmSync(layout, { recursive: true, force: true });
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });

  const archive = join(work, "layer.tar");
  tar(release, root, archive);
  const bytes = readFileSync(archive);
  const created = new Date(release.epoch * 1000).toISOString();
  const layer = blob(layout, `${PREFIX}.layer.v1.tar+gzip`, gzipSync(bytes, { level: 9 }));
  const config = json(layout, `${PREFIX}.config.v1+json`, {
    created,
    architecture: release.machine.oci,
    os: "linux",
    config: {
      Entrypoint: ["/usr/bin/crank"],
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      Labels: {
        "org.opencontainers.image.title": "crank",
        "org.opencontainers.image.version": release.version,
        "org.opencontainers.image.description": release.summary,
        "org.opencontainers.image.licenses": release.license,
      },
    },
    rootfs: { type: "layers", diff_ids: [digest(bytes)] },
    history: [{ created, created_by: "crank" }],
  });
  const manifest = json(layout, `${PREFIX}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${PREFIX}.manifest.v1+json`,
    config,
    layers: [layer],
  });
  const annotations = { "org.opencontainers.image.ref.name": release.version };
  const index = { schemaVersion: 2, mediaType: `${PREFIX}.index.v1+json`, manifests: [{ ...manifest, annotations }] };
  writeFileSync(join(layout, "oci-layout"), `${JSON.stringify({ imageLayoutVersion: "1.0.0" })}\n`);
  // Last, so that a layout with an index is whole.
  writeFileSync(join(layout, "index.json.new"), `${JSON.stringify(index)}\n`);
  renameSync(join(layout, "index.json.new"), join(layout, "index.json"));
  return name;
};

const digest = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const blob = (layout: string, mediaType: string, bytes: Uint8Array): Descriptor => {
  const name = digest(bytes);
  writeFileSync(join(layout, "blobs/sha256", name.slice("sha256:".length)), bytes);
  return { mediaType, digest: name, size: bytes.length };
};

const json = (layout: string, mediaType: string, value: unknown): Descriptor =>
  blob(layout, mediaType, new TextEncoder().encode(JSON.stringify(value)));
