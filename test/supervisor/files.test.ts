// The module through which crank opens, creates and replaces its own files: what it refuses, and that it follows no link.
// As root, the tests also create other users' files.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError } from "../../src/supervisor/os/file-error.ts";
import {
  closedDirectory,
  ensureOwnDirectory,
  ensureOwnFile,
  readOwnFile,
  removeOwnFile,
  removeTemporaries,
  replaceOwnFile,
  setOwnFileAside,
} from "../../src/supervisor/os/files.ts";
import { needing, ROOT_USER } from "../needs.ts";

const NOBODY = 65534;
const LIMIT = 1024;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "crank-files-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const at = (name: string): string => join(directory, name);

/** The error message; null: none. */
const refusal = async (action: () => unknown): Promise<string | null> => {
  try {
    await action();
    return null;
  } catch (error) {
    if (error instanceof FileError) return error.message;
    throw error;
  }
};

const makeFifo = (path: string): void => {
  Bun.spawnSync(["mkfifo", path]);
};

describe("a file that is read", () => {
  test("is read completely", () => {
    writeFileSync(at("file"), "text");
    expect(new TextDecoder().decode(readOwnFile(at("file"), LIMIT))).toBe("text");
  });

  test("must not be a link, fifo, device or directory", async () => {
    writeFileSync(at("file"), "text");
    symlinkSync(at("file"), at("link"));
    symlinkSync("/dev/zero", at("zero"));
    makeFifo(at("fifo"));
    mkdirSync(at("directory"));
    for (const name of ["link", "zero"])
      expect(await refusal(() => readOwnFile(at(name), LIMIT))).toBe("it is a symbolic link");
    for (const name of ["fifo", "directory"])
      expect(await refusal(() => readOwnFile(at(name), LIMIT))).toBe("not a plain file");
  });

  test("that is too long is refused before it is read", async () => {
    writeFileSync(at("file"), "");
    truncateSync(at("file"), 2 ** 33);
    expect(await refusal(() => readOwnFile(at("file"), LIMIT))).toBe(`it has more than ${LIMIT} bytes`);
  });

  test("is refused when others can write to it", async () => {
    writeFileSync(at("file"), "text");
    for (const mode of [0o620, 0o602]) {
      chmodSync(at("file"), mode);
      expect(await refusal(() => readOwnFile(at("file"), LIMIT))).toContain("other users can write to it");
    }
  });

  needing(ROOT_USER).test("is refused when it is another user's, except for display", async () => {
    writeFileSync(at("file"), "text");
    chownSync(at("file"), NOBODY, NOBODY);
    expect(await refusal(() => readOwnFile(at("file"), LIMIT))).toBe(`it belongs to another user (uid ${NOBODY})`);
    expect(readOwnFile(at("file"), LIMIT, "any")).toHaveLength(4);
  });
});

describe("a file that is created", () => {
  test("is created if it is missing, and is not changed if it exists", () => {
    ensureOwnFile(at("file"), "first");
    ensureOwnFile(at("file"), "second");
    expect(readFileSync(at("file"), "utf8")).toBe("first");
  });

  test("is not created through a dangling link", async () => {
    symlinkSync(at("elsewhere"), at("link"));
    expect(await refusal(() => ensureOwnFile(at("link"), "text"))).toBe("it is a symbolic link");
    expect(existsSync(at("elsewhere"))).toBe(false);
  });

  test("is refused in a directory where others can replace it, and not in a sticky one", async () => {
    mkdirSync(at("open"));
    chmodSync(at("open"), 0o777);
    expect(await refusal(() => ensureOwnFile(at("open/file"), ""))).toContain(
      `in its directory ${at("open")}, other users can replace files`,
    );
    chmodSync(at("open"), 0o1777);
    expect(await refusal(() => ensureOwnFile(at("open/file"), ""))).toBeNull();
  });

  needing(ROOT_USER).test("is refused in another user's directory", async () => {
    mkdirSync(at("theirs"));
    chownSync(at("theirs"), NOBODY, NOBODY);
    const message = `its directory ${at("theirs")} belongs to another user (uid ${NOBODY})`;
    expect(await refusal(() => ensureOwnFile(at("theirs/file"), ""))).toBe(message);
    expect(await refusal(() => ensureOwnDirectory(at("theirs/directory"), "passable"))).toBe(message);
    expect(await refusal(() => replaceOwnFile(at("theirs/file"), "", "asBefore"))).toBe(message);
    expect(readdirSync(at("theirs"))).toEqual([]);
  });
});

describe("a directory that is created", () => {
  test("can be traversed by others, whatever the umask", () => {
    const before = process.umask(0o077);
    try {
      ensureOwnDirectory(at("run"), "passable");
    } finally {
      process.umask(before);
    }
    expect(statSync(at("run")).mode & 0o7777).toBe(0o711);
  });

  test("is accessible to its owner only, on request", () => {
    mkdirSync(at("names"));
    ensureOwnDirectory(at("names"), "owner");
    expect(statSync(at("names")).mode & 0o7777).toBe(0o700);
  });

  test("is refused when it is a link, a file, or others can write to it", async () => {
    mkdirSync(at("real"));
    symlinkSync(at("real"), at("link"));
    writeFileSync(at("file"), "");
    expect(await refusal(() => ensureOwnDirectory(at("link"), "passable"))).toBe("it is a symbolic link");
    expect(await refusal(() => ensureOwnDirectory(at("file"), "passable"))).toBe("not a directory");
    chmodSync(at("real"), 0o775);
    expect(await refusal(() => ensureOwnDirectory(at("real"), "passable"))).toContain(`chmod go-w ${at("real")}`);
  });
});

describe("a file that is replaced", () => {
  test("keeps its mode, and leaves no temporary file", async () => {
    writeFileSync(at("file"), "old");
    chmodSync(at("file"), 0o640);
    await replaceOwnFile(at("file"), "new", "asBefore");
    expect([readFileSync(at("file"), "utf8"), statSync(at("file")).mode & 0o777]).toEqual(["new", 0o640]);
    await replaceOwnFile(at("file"), "secret", "owner");
    expect(statSync(at("file")).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(["file"]);
  });

  test("follows no link at its name or at a former temporary file's name", async () => {
    writeFileSync(at("victim"), "precious");
    symlinkSync(at("victim"), at("file"));
    symlinkSync(at("victim"), at("file.new"));
    await replaceOwnFile(at("file"), "new", "asBefore");
    expect(readFileSync(at("victim"), "utf8")).toBe("precious");
    expect(lstatSync(at("file")).isFile()).toBe(true);
  });

  test("has the temporary files of a killed crank removed, and no other files", () => {
    for (const name of [".file.0123456789abcdef.new", ".file.notours.new", ".other.0123456789abcdef.new", "file.new"])
      writeFileSync(at(name), "");
    symlinkSync(at("file.new"), at(".file.00000000000000ff.new"));
    removeTemporaries(at("file"));
    expect(readdirSync(directory).sort()).toEqual([
      ".file.00000000000000ff.new",
      ".file.notours.new",
      ".other.0123456789abcdef.new",
      "file.new",
    ]);
  });
});

describe("a file that is set aside or removed", () => {
  test("gets the first free name, without opening a fifo there", () => {
    writeFileSync(at("file"), "broken");
    makeFifo(at("file.bad-1"));
    expect(setOwnFileAside(at("file"))).toBe(at("file.bad-2"));
    expect(readFileSync(at("file.bad-2"), "utf8")).toBe("broken");
  });

  test("must be of the given type", () => {
    writeFileSync(at("file"), "");
    symlinkSync(at("file"), at("link"));
    removeOwnFile(at("link"), "file");
    removeOwnFile(at("file"), "socket");
    expect(readdirSync(directory).sort()).toEqual(["file", "link"]);
    removeOwnFile(at("file"), "file");
    expect(readdirSync(directory)).toEqual(["link"]);
  });
});

test("the first directory that a user cannot enter is found", () => {
  mkdirSync(at("a/b/c"), { recursive: true });
  for (const name of ["", "a", "a/b", "a/b/c"]) chmodSync(at(name), 0o711);
  const user = { uid: 12_345, gid: 12_345, groups: [12_345] };
  const outside = closedDirectory(directory, user);
  if (outside !== null) return; // The machine's temporary directory itself is closed.
  expect(closedDirectory(at("a/b/c"), user)).toBeNull();
  chmodSync(at("a/b"), 0o700);
  expect(closedDirectory(at("a/b/c"), user)).toEqual({ path: at("a/b"), mode: 0o700 });
  expect(closedDirectory(at("a/b/c"), { ...user, uid: process.getuid?.() ?? 0 })).toBeNull();
});
