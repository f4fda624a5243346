// The directories of services' files when no prefix is given.
import { describe, expect, test } from "bun:test";
import { directoriesFor, socketDirectories } from "../../src/commands/directories.ts";

const at = (uid: number, ...paths: readonly string[]) => ({ uid, exists: (path: string) => paths.includes(path) });
const both = (directory: string) => ({ state: directory, runtime: directory });
const HOME = { HOME: "/home/ann" };

describe("the files of a service are", () => {
  test("all in the prefix, if one is given", () => {
    expect(directoriesFor("web", "/srv", {}, at(0, "/var/crank/web.conf"))).toEqual(both("/srv"));
  });

  test("in /var/lib/crank and /run/crank for root", () => {
    expect(directoriesFor("web", undefined, HOME, at(0))).toEqual({ state: "/var/lib/crank", runtime: "/run/crank" });
  });

  test.each([["/var/crank/web.conf"], ["/var/crank/web.ctl"]])("in /var/crank if %s exists", (path) => {
    expect(directoriesFor("web", undefined, HOME, at(0, path))).toEqual(both("/var/crank"));
    expect(directoriesFor("web", undefined, HOME, at(1000, path))).toEqual(both("/var/crank"));
    expect(directoriesFor("api", undefined, HOME, at(0, path))).toEqual({
      state: "/var/lib/crank",
      runtime: "/run/crank",
    });
  });

  test("in the XDG directories for other users", () => {
    const set = { ...HOME, XDG_STATE_HOME: "/s", XDG_RUNTIME_DIR: "/run/user/1000" };
    expect(directoriesFor("web", undefined, set, at(1000))).toEqual({
      state: "/s/crank",
      runtime: "/run/user/1000/crank",
    });
    expect(directoriesFor("web", undefined, HOME, at(1000))).toEqual(both("/home/ann/.local/state/crank"));
  });

  test("not in an XDG directory that is a relative path", () => {
    const set = { ...HOME, XDG_STATE_HOME: "s", XDG_RUNTIME_DIR: "./r" };
    expect(directoriesFor("web", undefined, set, at(1000))).toEqual(both("/home/ann/.local/state/crank"));
  });

  test("unknown without a home directory, with an error that names what is missing", () => {
    expect(() => directoriesFor("web", undefined, {}, at(1000))).toThrow("-prefix: missing");
    expect(() => directoriesFor("web", undefined, { HOME: "here" }, at(1000))).toThrow("-prefix: missing");
  });
});

test("control sockets are searched in the user's directory, the system's, and that of earlier versions", () => {
  const mine = { ...HOME, XDG_RUNTIME_DIR: "/run/user/1000" };
  expect(socketDirectories(undefined, mine, 1000)).toEqual(["/run/user/1000/crank", "/run/crank", "/var/crank"]);
  expect(socketDirectories(undefined, mine, 0)).toEqual(["/run/crank", "/var/crank"]);
  expect(socketDirectories(undefined, {}, 1000)).toEqual(["/run/crank", "/var/crank"]);
  expect(socketDirectories("/srv//", mine, 1000)).toEqual(["/srv"]);
  expect(socketDirectories("/", mine, 1000)).toEqual(["/"]);
});
