// The host, on Bun and on the engine: every behaviour gives what is written here, on both.
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

/** Sends back what comes, and ends when the other side does. */
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
  "files are written, read anywhere, and described": [10, 3, [0, 52, 53, 54, 0, 0], "file", 0o600, 10, true, 10, null],
  "of a short file one call gives the text, and of others the beginning": ["ä 1 2\n", 256, 7, "ENOENT", "EISDIR"],
  "a full pipe that does not block is waited for": [true, "EAGAIN", true, true],
  "what the system refuses has its code": [
    ...["ENOENT", "ENOTDIR", "EEXIST", "EISDIR", "ENOTDIR", "EISDIR", "EBADF", "EBADF", "EINVAL", "ENOENT"],
    ...["ENAMETOOLONG", "ESRCH"],
  ],
  "names are relative to a directory's descriptor, and links are followed only where they may be": [
    ["inner", "two"],
    ["directory", "file"],
    "link",
    "file",
    "ELOOP",
    0o604,
    "EBADF",
    ["inner"],
  ],
  "a file is replaced as a whole, with its mode, and does not change when that fails": [
    "new",
    0o666,
    "EEXIST",
    "in the way",
    "EISDIR",
    [],
  ],
  "a file is read beside everything else, up to a limit": [300_000, true, true, "EFBIG", "ENOENT", "ELOOP", "EISDIR"],
  "a stream sends and receives much more than fits into the kernel, in order": [
    { code: null, received: 1_000_000, sum: sumOf(1_000_000), unsent: 0 },
    { code: null, received: 100_000, sum: sumOf(100_000), unsent: 0 },
    { code: null, received: 0, sum: 0, unsent: 0 },
  ],
  "a connection that cannot be made has its code": ["ENOENT", "ECONNREFUSED", "ECONNREFUSED"],
  "a stream that is destroyed calls no handler any more": [[], 0],
  "a program is asked, with a limit in time": [
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
  "signals are heard until they are not listened for": ["one", "two", "two"],
  "timers come in the order of their times, and not when they were cancelled": [
    ["first", "second", "third"],
    3,
    true,
    true,
  ],
  "random bytes differ": true,
  "text goes through UTF-8 as the Encoding Standard says": [
    [97, 0, 195, 164, 226, 130, 172, 240, 159, 152, 128],
    "a\u0000ä€😀z",
    8,
    "aä",
    ["TypeError", "TypeError", "TypeError", "TypeError", "TypeError"],
    "a\ufffdb",
    new TextDecoder("windows-1252").decode(Uint8Array.from({ length: 256 }, (_, byte) => byte)),
  ],
  "the process knows what it was started with": [
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
  "what is typed comes as characters, and its end is said": "typed: ä€\n",
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
