// The engine and its images, as processes: normal starts, invalid images, and fatal errors.
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../setup/command.ts";
import { Images, isBuilt, type Ran } from "./harness.ts";

const images = new Images();
afterAll(() => images.remove());

const hello = (): string =>
  images.make("hello", `run(() => say("hello " + sys.processArguments().slice(1).join(" ")));`);

describe.skipIf(!isBuilt)("an image (make engine)", () => {
  test.each(["copied", "mapped"] as const)("continues where its modules ended, %s", (use) => {
    const image = images.make(
      "counter",
      `let count = 0; const late = Promise.resolve().then(() => { count += 40; });
       count++; run(async () => { await late; say(String(++count)); }, () => count);`,
    );
    expect(images.run(image, { use })).toMatchObject({ status: 42, stdout: "42\n", stderr: "" });
    expect(images.run(image, { use })).toMatchObject({ status: 42, stdout: "42\n" });
  });

  test("is identical, byte for byte, in every build", () => {
    const source = `const all = new Map();
      for (let i = 0; i < 2000; i++) all.set("key" + i, { at: i, text: "x".repeat(i % 50), when: new Date(i) });
      run(() => say(JSON.stringify([all.size, all.get("key7").when])));`;
    const first = images.make("first", source);
    const second = images.make("second", source);
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
    expect(images.run(first).stdout).toBe('[2000,"1970-01-01T00:00:00.007Z"]\n');
  });

  test("contains no time and no random values, which a start provides", () => {
    const image = images.make("clock", `run(() => say(String(Date.now() > 1.7e12) + new Date(0).getHours()));`);
    expect(images.run(image, { environment: { TZ: "XYZ-3" } }).stdout).toBe("true3\n");
  });

  test("that is cut, too long, of another build or format, or damaged is refused with an error message", () => {
    const image = hello();
    const whole = readFileSync(image);
    const altered = (change: (bytes: Buffer) => void, length = whole.length): string => {
      const copy = Buffer.alloc(length);
      whole.copy(copy);
      change(copy);
      const path = join(images.directory, "altered.image");
      writeFileSync(path, copy);
      const { status, stdout, stderr } = images.run(path);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      return stderr.replace(`crank: ${path}: `, "").trimEnd();
    };
    expect(altered(() => {}, whole.length - 4096)).toBe("it is cut off, or something was added to it");
    expect(altered(() => {}, whole.length + 1)).toBe("it is cut off, or something was added to it");
    expect(altered(() => {}, 100)).toBe("it is cut off");
    expect(altered(() => {}, 0)).toBe("it is cut off");
    expect(altered((bytes) => bytes.write("X", 0))).toBe("it is not an image of the engine");
    expect(altered((bytes) => bytes.writeUInt32LE(9, 8))).toBe("this program cannot read its format");
    expect(altered((bytes) => bytes.write("0000", 16))).toBe("it was made by another build");
    // The start address and the number of pages: those of an image of 4 GiB.
    expect(altered((bytes) => bytes.writeUInt32LE(0x1000, 12))).toBe("it is damaged");
    expect(altered((bytes) => bytes.writeUInt32LE(0xffff, 96))).toBe("it is damaged");
    // Any bit of the saved state.
    for (let at = 96; at < 152; at += 3)
      expect(altered((bytes) => bytes.writeUInt8(whole.readUInt8(at) ^ 4, at))).toBe("it is damaged");
  });

  test("whose file is truncated while in use ends the process with an error message and status 70", () => {
    const image = images.make(
      "cut",
      `const much = []; for (let i = 0; i < 40000; i++) much.push({ i });
       run(() => { sys.open(-100, sys.processArguments()[0], 0o1001, 0);
         say(String(much.reduce((sum, { i }) => sum + i, 0))); });`,
    );
    const { status, stdout, stderr } = images.run(image, { use: "mapped" });
    expect({ status, stdout }).toEqual({ status: 70, stdout: "" });
    expect(stderr).toBe(
      "crank: the JavaScript engine has failed: it accessed an address outside of its memory, or the file of its image is cut off.\n",
    );
  });

  test("is not started when its address range is in use, with an error message", () => {
    const occupied = join(images.directory, "occupied");
    writeFileSync(
      `${occupied}.c`,
      `#include <sys/mman.h>
       __attribute__((constructor)) static void occupy(void) {
         mmap((void *)0x50100000, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
       }`,
    );
    const sources = readdirSync(join(ROOT, "engine"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".c"),
    );
    const objects = sources.map((name) => join(ROOT, "build/engine", name.replace(".c", ".o")));
    const parts = ["0", "1", "2", "3", "tables", "data"].map((part) =>
      join(ROOT, `build/engine/module/quickjs_${part}.o`),
    );
    const words = ["-no-pie", "-pthread", "-o", occupied, `${occupied}.c`, ...objects, ...parts];
    const built = spawnSync(process.env.CC ?? "cc", [...words, join(ROOT, "engine/image/no-image.S"), "-lm"], {
      encoding: "utf8",
    });
    expect(built.stderr).toBe("");
    for (const use of ["copied", "mapped"] as const) {
      const { status, stderr } = images.run(hello(), { use, program: occupied });
      expect(status).toBe(1);
      expect(stderr).toContain("the address range of the engine is in use");
    }
  });

  test("starts with little address space, and reports too little", () => {
    const image = hello();
    expect(images.run(image, { arguments: ["there"], before: "ulimit -v 16000;" }).stdout).toBe("hello there\n");
    const { status, stderr } = images.run(image, { before: "ulimit -v 3500;" });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining("Cannot allocate memory") });
  });

  test.each([
    ["calls the host", "sys.wallNow();", "hostCalls.wallNow: called while a module is loaded"],
    ["asks for the time", "const now = Date.now();", "a module asks for the time while it is loaded"],
    ["asks for the time zone", "const hour = new Date(0).getHours();", "a module asks for the time while it is loaded"],
  ])("is not built from a module that %s while it is loaded", (_, source, reason) => {
    expect(() => images.make("asking", source)).toThrow(reason);
  });
});

describe.skipIf(!isBuilt)("an engine with a fatal error (make engine)", () => {
  const ends = (name: string, source: string) => {
    const { status, signal, stdout, stderr } = images.run(images.make(name, source));
    return { status, signal, stdout, stderr };
  };

  test("passes an uncaught exception to TypeScript, thrown or rejected", () => {
    expect(ends("thrown", `run(() => { throw new Error("first"); });`)).toMatchObject({
      status: 9,
      stdout: "uncaught Error: first\n",
    });
    expect(ends("rejected", `run(() => { Promise.reject(new Error("second")); });`)).toMatchObject({
      status: 9,
      stdout: "uncaught Error: second\n",
    });
    expect(
      ends(
        "taken",
        `run(() => { const p = Promise.reject(1); Promise.resolve().then(() => p.catch(() => say("taken"))); });`,
      ),
    ).toMatchObject({ status: 0, stdout: "taken\n" });
  });

  test("ends with the exception and status 70 when the handler of exceptions fails too", () => {
    const { status, stderr } = ends(
      "worse",
      `sys.setHooks(() => { throw new Error("one"); }, () => 0, () => { throw new Error("two"); });`,
    );
    expect(status).toBe(70);
    expect(stderr).toContain("crank: exception while another one was handled:\ntwo\n");
  });

  test("throws at endless recursion, in JavaScript and in its own functions", () => {
    const source = `let depth = 0; const deep = () => { depth++; return 1 + deep(); };
      const nested = () => { let all = []; for (let i = 0; i < 50000; i++) all = [all]; return all.flat(Infinity); };
      run(() => { for (const act of [deep, nested, () => [1].map(function again(x) { return [x].map(again); })])
        try { act(); } catch (error) { say(error.name); } }, () => Number(depth > 1500));`;
    expect(ends("deep", source)).toMatchObject({ status: 1, stdout: "RangeError\n".repeat(3), stderr: "" });
  });

  test("ends with one sentence and status 70 when the process has too little stack for that", () => {
    const image = images.make("shallow", `const deep = () => 1 + deep(); run(deep);`);
    const { status, signal, stderr } = images.run(image, { before: "ulimit -s 256;" });
    expect({ status, signal }).toEqual({ status: 70, signal: null });
    expect(stderr).toBe("crank: the JavaScript engine has failed: it ran out of stack.\n");
  });

  test("ends with one sentence and status 70 when it needs more than 256 MiB, even if exceptions are caught", () => {
    const wants = (name: string, size: string): Partial<Ran> =>
      ends(
        name,
        `run(() => { const all = []; for (;;) try { all.push(${size}); say("one"); } catch { say("caught"); } });`,
      );
    const sentence = "crank: the JavaScript engine has failed: it needs more than 256 MiB of memory.\n";
    expect(wants("large", "new Uint8Array(2 ** 26)")).toEqual({
      status: 70,
      signal: null,
      stdout: "one\n".repeat(3),
      stderr: sentence,
    });
    expect(wants("at-once", "new Uint8Array(2 ** 29)")).toEqual({
      status: 70,
      signal: null,
      stdout: "",
      stderr: sentence,
    });
    expect(wants("texts", "'x'.repeat(2 ** 27) + all.length")).toMatchObject({ status: 70, stderr: sentence });
    expect(wants("objects", "Array.from({ length: 1e6 }, (_, i) => ({ i }))")).toMatchObject({
      status: 70,
      stderr: sentence,
    });
  });

  test("ends with one sentence and status 70 when the system has no more memory", () => {
    const image = images.make("more", `run(() => { const all = []; for (;;) all.push(new Uint8Array(2 ** 20)); });`);
    const { status, stderr } = images.run(image, { use: "mapped", before: "ulimit -v 40000;" });
    expect({ status, stderr }).toEqual({
      status: 70,
      stderr: "crank: the JavaScript engine has failed: the system has no more memory.\n",
    });
  });

  test("refuses a bundle with a syntax error, an import, or an error at load", () => {
    expect(() => images.make("syntax", "run(() => ;")).toThrow("the bundle cannot be compiled");
    expect(() => images.make("imports", 'import "node:fs";')).toThrow("could not load module");
    expect(() => images.make("fails", 'throw new Error("at load");')).toThrow("crank: uncaught exception:\nat load");
    expect(() => images.make("later", 'await Promise.resolve(); throw new Error("later");')).toThrow("later");
  });

  test("gets an error when the reader of a pipe has exited", () => {
    const image = images.make(
      "pipe",
      `run(() => { const bytes = new Uint8Array(1 << 17); let result = 0;
      while (result >= 0) result = sys.write(1, bytes, 0, bytes.length, -1); sys.exit(-result); });`,
    );
    const { stdout } = images.run(image, { before: `set -o pipefail; "$@" | true; echo $? >&1; exit;` });
    expect(stdout).toBe("32\n");
  });

  test("refuses an image without hooks", () => {
    expect(ends("empty", "")).toMatchObject({ status: 70, stderr: "crank: the image has no entry\n" });
  });
});
