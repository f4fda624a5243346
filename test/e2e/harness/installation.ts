// Installations of crank below a test's own directory, so that what is installed can be exchanged while it runs.
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROTOCOL_VERSION } from "../../../src/keeper/protocol.ts";
import { BUILD, CRANK } from "./bench.ts";

const PAGE = 4096;
const NAMES = ["crankctl", "socketmaster", "einhorn"];

/** Installs crank into a directory that does not exist yet: the path of its bin/crank. */
export const install = (directory: string): string => {
  mkdirSync(join(directory, "bin"), { recursive: true });
  const crank = join(directory, "bin/crank");
  copyFileSync(CRANK, crank);
  symlinkSync(join(BUILD, "bin/runtime"), join(directory, "bin/runtime"));
  symlinkSync(join(BUILD, "dist"), join(directory, "dist"));
  for (const name of NAMES) symlinkSync("crank", join(directory, "bin", name));
  return crank;
};

/** Makes it another program that does the same: its file gets longer. */
export const changeKeeper = (crank: string): void => {
  put(crank, Buffer.concat([readFileSync(crank), Buffer.from("another one\n")]));
};

/** An installation whose bin/crank is a script: the path of that. */
export const installScript = (directory: string, script: string): string => {
  const crank = install(directory);
  put(crank, Buffer.from(`#!/bin/sh\n${script}\n`));
  return crank;
};

/** For such a script: it answers the check of an upgrade as a good one would, and then does something else. */
export const passesItsCheck = (directory: string): string => {
  const answer = { crank: "9", protocol: PROTOCOL_VERSION, home: directory, runtime: join(directory, "bin/runtime") };
  return `if [ "$1" = --upgrade-check ]; then printf %s '${JSON.stringify(answer)}' >&4; exit 0; fi`;
};

/** An installation whose supervisors are this script: the path of its bin/crank. */
export const installRuntime = (directory: string, script: string): string => {
  const crank = install(directory);
  put(join(directory, "bin/runtime"), Buffer.from(`#!/bin/sh\n${script}\n`));
  return crank;
};

/** An installation whose program is damaged where the image of its commands begins: the path of its bin/crank. */
export const installDamaged = (directory: string): string => {
  const crank = install(directory);
  const bytes = readFileSync(crank);
  let at = bytes.indexOf("crankimg");
  while (at % PAGE !== 0) at = bytes.indexOf("crankimg", at + 1);
  bytes.write("nothing.", at);
  put(crank, bytes);
  return crank;
};

/** Lets a path lead elsewhere, at once. */
export const pointTo = (link: string, target: string): void => {
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
};

/** A program that runs cannot be written to, but another one may take its name. */
const put = (path: string, bytes: Buffer): void => {
  writeFileSync(`${path}.new`, bytes);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
};
