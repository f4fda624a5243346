// Sockets that a service manager passed: which exist, and which -bind takes them.
import { describe, expect, test } from "bun:test";
import { parseUri } from "../../../src/supervisor/os/addresses.ts";
import type { Bind } from "../../../src/supervisor/state/settings.ts";
import {
  type Passed,
  passedSockets,
  storedSockets,
  storeName,
  straySockets,
  withPassedSockets,
} from "../../../src/supervisor/systemd/passed-sockets.ts";

const PID = 4711;
const ours = (count: number, names?: string): Passed =>
  passedSockets({ LISTEN_FDS: String(count), LISTEN_PID: String(PID), LISTEN_FDNAMES: names }, PID);

const bind = (uri: string, name = ""): Bind => ({ uri, name, ...only(parseUri(uri)) });
const only = ({ address, options }: ReturnType<typeof parseUri>) => ({ address, options });
const shown = (binds: readonly Bind[]): string[] =>
  binds.map(({ name, address }) => `${name}=${address.kind === "inherited" ? address.fd : address.kind}`);

describe("the passed sockets", () => {
  test("are none without the variables", () => {
    expect(passedSockets({}, PID)).toEqual({ sockets: [], problem: null });
    expect(passedSockets({ LISTEN_FDS: "", LISTEN_PID: "1" }, PID)).toEqual({ sockets: [], problem: null });
  });

  test("start at descriptor 3, each with its name", () => {
    expect(ours(2, "http:admin").sockets).toEqual([
      { fd: 3, name: "http" },
      { fd: 4, name: "admin" },
    ]);
  });

  test("have no names without LISTEN_FDNAMES, without a warning", () => {
    expect(ours(2)).toEqual({
      sockets: [
        { fd: 3, name: "unknown" },
        { fd: 4, name: "unknown" },
      ],
      problem: null,
    });
  });

  test.each(["http", "http:admin:more", ""])("have no names with %j for two sockets, with a warning", (names) => {
    const { sockets, problem } = ours(2, names);
    expect(sockets.map(({ name }) => name)).toEqual(["unknown", "unknown"]);
    expect(problem).toContain("LISTEN_FDNAMES");
  });

  test.each([
    [{ LISTEN_FDS: "1" }, "without LISTEN_PID"],
    [{ LISTEN_FDS: "1", LISTEN_PID: "1" }, 'LISTEN_PID is "1", and crank is process 4711'],
    [{ LISTEN_FDS: "1", LISTEN_PID: "04711" }, "LISTEN_PID"],
    [{ LISTEN_FDS: "many", LISTEN_PID: "4711" }, "LISTEN_FDS"],
    [{ LISTEN_FDS: "-1", LISTEN_PID: "4711" }, "LISTEN_FDS"],
    [{ LISTEN_FDS: "99999", LISTEN_PID: "4711" }, "LISTEN_FDS"],
  ])("are ignored with %j", (environment, part) => {
    const { sockets, problem } = passedSockets(environment, PID);
    expect(sockets).toEqual([]);
    expect(problem).toContain(part);
  });
});

describe("-bind systemd", () => {
  const taken = (passed: Passed, ...uris: string[]): string[] =>
    shown(
      withPassedSockets(
        uris.map((uri) => bind(uri)),
        passed,
      ),
    );

  test("takes all passed sockets under their names", () => {
    expect(taken(ours(3, "http:http:admin"), "systemd")).toEqual(["http=3", "http=4", "admin=5"]);
  });

  test("with a name takes all sockets of that name, in order", () => {
    expect(taken(ours(3, "http:admin:http"), "systemd:http")).toEqual(["http=3", "http=5"]);
  });

  test("takes what no other -bind takes", () => {
    expect(taken(ours(4, "a:b:c:d"), "systemd:c", "fd://3", "systemd")).toEqual(["c=5", "=3", "b=4", "d=6"]);
  });

  test("renames what it takes with ?name=", () => {
    const passed = ours(1, "web.socket");
    expect(shown(withPassedSockets([bind("systemd:web.socket?name=http", "http")], passed))).toEqual(["http=3"]);
  });

  test.each([
    [ours(0), "systemd", "no socket was passed"],
    [ours(1, "http"), "systemd:https", "only http"],
    [ours(2, "http"), "systemd:http", "LISTEN_FDNAMES has 1 names for 2 sockets"],
    [passedSockets({ LISTEN_FDS: "1", LISTEN_PID: "1" }, PID), "systemd", "crank is process 4711"],
  ])("is refused with the reason when there is no such socket (%#)", (passed, uri, part) => {
    expect(() => withPassedSockets([bind(uri)], passed)).toThrow(part);
  });

  test("refuses one descriptor for two binds", () => {
    expect(() => withPassedSockets([bind("systemd:a"), bind("fd://3")], ours(1, "a"))).toThrow(
      "fd://3: descriptor 3 is already used by systemd:a",
    );
  });

  test("never takes what crank itself has stored", () => {
    const name = storeName(bind(":80")) ?? "";
    expect(taken(ours(2, `http:${name}`), "systemd")).toEqual(["http=3"]);
  });
});

describe("crank's own sockets in the store", () => {
  const nameOf = (uri: string): string => storeName(bind(uri)) ?? "none";

  test("have names that systemd accepts: printable ASCII, no colon, not too long", () => {
    const uris = [
      ":80",
      "[::1]:80",
      "udp4://1.2.3.4:5",
      "/run/web.sock",
      "unix:///run/ü x:%.sock",
      "unix://@a",
      `/${"x".repeat(106)}`,
    ];
    for (const uri of uris) expect(nameOf(uri)).toMatch(/^[!-9;-~]{1,255}$/);
    expect(new Set(uris.map(nameOf)).size).toBe(uris.length);
  });

  test("have no name when they were passed, and when it would be too long", () => {
    for (const uri of ["fd://3", "systemd", "systemd:http", `/${"ü".repeat(53)}`]) expect(nameOf(uri)).toBe("none");
  });

  test("are found again by their addresses in any order; those without a bind are left over", () => {
    const passed = ours(4, ["http", nameOf(":81"), nameOf(":80"), nameOf("/gone")].join(":"));
    const binds = [bind(":80"), bind("systemd:http"), bind(":82"), bind(":81?backlog=9")];
    expect([...storedSockets(binds, passed)]).toEqual([
      [0, 5],
      [3, 4],
    ]);
    expect(straySockets(binds, passed)).toEqual([{ fd: 6, name: nameOf("/gone") }]);
  });

  test("are separate for two binds of one address", () => {
    const passed = ours(2, `${nameOf(":80")}:${nameOf(":80")}`);
    expect([...storedSockets([bind(":80"), bind(":80")], passed).values()]).toEqual([3, 4]);
  });
});
