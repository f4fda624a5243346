// Installations of crank below a test's own directory, so that installed files can be exchanged while crank runs.
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROTOCOL_VERSION } from "../../../src/keeper/protocol.ts";
import { BUILD, CRANK } from "./bench.ts";

const PAGE = 4096;
const NAMES = ["crankctl", "socketmaster", "einhorn"];

/** Installs crank into a new directory. Returns the path of its bin/crank. */
export const install = (directory: string): string => {
  mkdirSync(join(directory, "bin"), { recursive: true });
  const crank = join(directory, "bin/crank");
  copyFileSync(CRANK, crank);
  symlinkSync(join(BUILD, "bin/runtime"), join(directory, "bin/runtime"));
  symlinkSync(join(BUILD, "dist"), join(directory, "dist"));
  for (const name of NAMES) symlinkSync("crank", join(directory, "bin", name));
  return crank;
};

/** Makes it a different program that does the same: its file gets longer. */
export const changeKeeper = (crank: string): void => {
  put(crank, Buffer.concat([readFileSync(crank), Buffer.from("another one\n")]));
};

/** An installation whose bin/crank is a script. Returns its path. */
export const installScript = (directory: string, script: string): string => {
  const crank = install(directory);
  put(crank, Buffer.from(`#!/bin/sh\n${script}\n`));
  return crank;
};

/** For such a script: it passes the check of an upgrade, and then does something else. */
export const passesItsCheck = (directory: string): string => {
  const answer = { crank: "9", protocol: PROTOCOL_VERSION, home: directory, runtime: join(directory, "bin/runtime") };
  return `if [ "$1" = --upgrade-check ]; then printf %s '${JSON.stringify(answer)}' >&4; exit 0; fi`;
};

/** An installation whose supervisors are this script. Returns the path of its bin/crank. */
export const installRuntime = (directory: string, script: string): string => {
  const crank = install(directory);
  put(join(directory, "bin/runtime"), Buffer.from(`#!/bin/sh\n${script}\n`));
  return crank;
};

/** An installation whose program is damaged where the image of its commands begins. Returns the path of its bin/crank. */
export const installDamaged = (directory: string): string => {
  const crank = install(directory);
  const bytes = readFileSync(crank);
  let at = bytes.indexOf("crankimg");
  while (at % PAGE !== 0) at = bytes.indexOf("crankimg", at + 1);
  bytes.write("nothing.", at);
  put(crank, bytes);
  return crank;
};

/** Atomically makes a path lead elsewhere. */
export const pointTo = (link: string, target: string): void => {
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
};

/** A running program cannot be written to, but its name can be given to another file. */
const put = (path: string, bytes: Buffer): void => {
  writeFileSync(`${path}.new`, bytes);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
};
