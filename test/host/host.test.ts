// The host on Bun and on the engine: every behaviour gives these results on both.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUILD, Images, isBuilt, SANITIZED } from "../engine/harness.ts";

const home = mkdtempSync(join(tmpdir(), "crank-host-"));
const images = new Images();
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  images.remove();
  rmSync(home, { recursive: true, force: true });
});

let place = { directory: "", echo: "", port: 0 };
let count = 0;

/** Echoes its input, and closes when the peer does. */
const echoAt = (
  target: { readonly path: string } | { readonly port: number; readonly host: string },
): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    servers.push(server);
    server.listen(target, () => resolve(server));
  });

beforeEach(async () => {
  const directory = join(home, String(count++));
  mkdirSync(directory);
  writeFileSync(join(directory, "other"), "");
  symlinkSync("other", join(directory, "link-to-file"));
  const echo = join(directory, "echo.sock");
  await echoAt({ path: echo });
  const address = (await echoAt({ port: 0, host: "127.0.0.1" })).address();
  place = { directory, echo, port: typeof address === "object" && address !== null ? address.port : 0 };
});

const resultsOf = (command: string, words: readonly string[]): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const environment = { ...process.env, CRANK_PLACE: JSON.stringify(place), CRANK_WORD: "a word" };
    const child: ChildProcess = spawn(command, words, { env: environment, cwd: place.directory });
    let output = "";
    let errors = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.stdin?.end("typed: ä€\n");
    child.once("close", (status) => {
      if (status === 0 && errors === "") resolve(JSON.parse(output));
      else reject(new Error(`status ${status}: ${errors}${output}`));
    });
  });

const sumOf = (length: number): number => {
  let sum = 0;
  for (let index = 0; index < length; index++) sum = (sum * 31 + ((index * 7) & 0xff)) >>> 0;
  return sum;
};

const EXPECTED = {
  "files are written, read at any position, and described": [
    10,
    3,
    [0, 52, 53, 54, 0, 0],
    "file",
    0o600,
    10,
    true,
    10,
    null,
  ],
  "one call reads a short file, or the beginning of a long one": ["ä 1 2\n", 256, 7, "ENOENT", "EISDIR"],
  "a full non-blocking pipe can be waited for": [true, "EAGAIN", true, true],
  "a system error has its code": [
    ...["ENOENT", "ENOTDIR", "EEXIST", "EISDIR", "ENOTDIR", "EISDIR", "EBADF", "EBADF", "EINVAL", "ENOENT"],
    ...["ENAMETOOLONG", "ESRCH"],
  ],
  "names are relative to a directory's descriptor, and links are followed only if permitted": [
    ["inner", "two"],
    ["directory", "file"],
    "link",
    "file",
    "ELOOP",
    0o604,
    "EBADF",
    ["inner"],
  ],
  "a file is replaced atomically with its mode, and is unchanged on failure": [
    "new",
    0o666,
    "EEXIST",
    "in the way",
    "EISDIR",
    [],
  ],
  "a file is read asynchronously, up to a limit": [300_000, true, true, "EFBIG", "ENOENT", "ELOOP", "EISDIR"],
  "a stream sends and receives more than the kernel buffers, in order": [
    { code: null, received: 1_000_000, sum: sumOf(1_000_000), unsent: 0 },
    { code: null, received: 100_000, sum: sumOf(100_000), unsent: 0 },
    { code: null, received: 0, sum: 0, unsent: 0 },
  ],
  "a failed connection has its code": ["ENOENT", "ECONNREFUSED", "ECONNREFUSED"],
  "a destroyed stream calls no handlers": [[], 0],
  "a program is run with a time limit": [
    { status: 3, output: "ä word" },
    { status: 0, output: "answer\n" },
    null,
    null,
    null,
    null,
    null,
    "ENOENT",
    "ENOENT",
  ],
  "signals are delivered until their listeners are removed": ["one", "two", "two"],
  "timers fire in the order of their times, unless cancelled": [["first", "second", "third"], 3, true, true],
  "random bytes differ": true,
  "text is encoded and decoded as the Encoding Standard defines": [
    [97, 0, 195, 164, 226, 130, 172, 240, 159, 152, 128],
    "a\u0000ä€😀z",
    8,
    "aä",
    ["TypeError", "TypeError", "TypeError", "TypeError", "TypeError"],
    "a\ufffdb",
    new TextDecoder("windows-1252").decode(Uint8Array.from({ length: 256 }, (_, byte) => byte)),
  ],
  "the process knows its arguments and environment": [
    ["an", "argument"],
    "a word",
    null,
    "a word",
    null,
    true,
    true,
    false,
    null,
  ],
  "typed input arrives as characters, followed by its end": "typed: ä€\n",
};

test("every behaviour of the host on Bun", async () => {
  const script = join(import.meta.dirname, "on-bun.ts");
  expect(await resultsOf(process.execPath, [script, "an", "argument"])).toEqual(EXPECTED);
});

const engineImage = async (program: string): Promise<string> => {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dirname, "on-engine.ts")],
    target: "browser",
    format: "esm",
    conditions: ["engine"],
  });
  const [output] = built.outputs;
  if (output === undefined) throw new Error(built.logs.join("\n"));
  return images.makeOf("behaviours", await output.text(), program);
};

describe.skipIf(!isBuilt)("every behaviour of the host on the engine (make engine)", () => {
  test.each(["copied", "mapped"] as const)("%s", async (use) => {
    const image = await engineImage(BUILD);
    expect(await resultsOf(BUILD, ["run", use, image, "behaviours", "an", "argument"])).toEqual(EXPECTED);
  });

  test("under the sanitizers", async () => {
    const image = await engineImage(SANITIZED);
    expect(await resultsOf(SANITIZED, ["run", "copied", image, "behaviours", "an", "argument"])).toEqual(EXPECTED);
  });
});
