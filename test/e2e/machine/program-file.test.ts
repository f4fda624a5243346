// crank's one file, damaged on the disk: a start says so in one sentence, and a running crank goes on without it.
import { beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

const web = eachTest(new Service());
let bin: string;
beforeEach(() => {
  bin = web.path("home/bin");
  mkdirSync(bin, { recursive: true });
  for (const name of ["crankctl", "runtime"]) symlinkSync("crank", join(bin, name));
});

/** As an installation replaces it: a new file under the old name. */
const install = (bytes: Uint8Array): void => {
  const fresh = join(bin, "crank.new");
  writeFileSync(fresh, bytes);
  chmodSync(fresh, 0o755);
  renameSync(fresh, join(bin, "crank"));
};

/** A copy of the program with one byte of the image's header changed. */
const damaged = (place: number): Uint8Array => {
  const bytes = readFileSync(CRANK);
  // In the image, at the start of a page; the same letters are in the code that compares with them.
  let header = bytes.indexOf("crankimg");
  while (header % 4096 !== 0) header = bytes.indexOf("crankimg", header + 1);
  bytes.writeUInt8(bytes.readUInt8(header + place) ^ 1, header + place);
  return bytes;
};

/** The file offset of the last segment that is loaded, which is the writable one (elf(5)). */
const startOfData = (bytes: Buffer): number => {
  const table = Number(bytes.readBigUInt64LE(32));
  const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  const headers = Array.from({ length: count }, (_, index) => table + index * size);
  return Math.max(
    ...headers.filter((at) => bytes.readUInt32LE(at) === 1).map((at) => Number(bytes.readBigUInt64LE(at + 8))),
  );
};

test.each([
  [0, "it is not an image of the engine"],
  [8, "this program cannot read its format"],
  [20, "it was made by another build"],
  [100, "it is damaged"],
])("a program whose image has a wrong byte %i reports it, as a command and as a supervisor", async (place, why) => {
  install(damaged(place));
  const sentence = `crank: the image in this program cannot be used: ${why}\n`;
  expect(await web.bench.run([join(bin, "crankctl"), "ps"])).toEqual({ status: 70, stdout: "", stderr: sentence });
  const { status, stderr } = await web.bench.run([
    join(bin, "crank"),
    "-prefix",
    web.directory,
    "-bind",
    "127.0.0.1:0",
  ]);
  expect(status).toBe(1);
  expect(stderr).toContain(sentence);
  expect(stderr).toContain("the supervisor cannot be started: it exited with status 70");
});

test.each([
  ["truncated", (whole: Buffer) => whole.subarray(0, whole.length / 2)],
  // These die by a signal before any of their code runs.
  ["truncated in its code", (whole: Buffer) => whole.subarray(0, 1 << 20)],
  ["truncated before its data", (whole: Buffer) => whole.subarray(0, startOfData(whole))],
  ["empty", () => new Uint8Array(0)],
  ["damaged", () => damaged(100)],
])("crank does not upgrade to a program that is %s, and continues", async (_how, broken) => {
  install(readFileSync(CRANK));
  const own = ["-prefix", web.directory, "-name", "web"];
  const ctl = (...words: readonly string[]) => web.bench.run([CRANK.replace(/crank$/, "crankctl"), ...own, ...words]);
  const crank = web.bench.start([join(bin, "crank"), ...own, "-bind", "127.0.0.1:0", "-linger", "0"]);
  await crank.wrote("stderr", "Listening on");
  expect(await ctl("run", "-wait", "-ready", "delay:0.1", "--", "sleep", "600")).toMatchObject({ status: 0 });
  install(broken(readFileSync(CRANK)));
  const upgraded = await ctl("upgrade", "-wait");
  expect(upgraded.status).toBe(1);
  expect(upgraded.stderr).toMatch(/^crankctl upgrade: [^\n]+\n/);
  // Supervisors that start from now on, too.
  expect(await ctl("run", "-wait", "-ready", "delay:0.1", "-env", "NEXT=1", "--", "sleep", "600")).toMatchObject({
    status: 0,
  });
  expect(await ctl("shutdown", "-wait")).toMatchObject({ status: 0 });
  expect(await crank.ended).toMatchObject({ status: 0 });
});
