// The addresses of -bind and -ctl: as text, and in the kernel's format.
import { describe, expect, test } from "bun:test";
import { AddressError, controlOptions, formatAddress, locate, parseUri } from "../../../src/supervisor/os/addresses.ts";
import { describeAddress, internetAddress, unixAddress } from "../../../src/supervisor/os/sockaddr.ts";

describe("the address of -bind or -ctl", () => {
  test.each([
    ["/run/web.sock", "unix:///run/web.sock"],
    ["web.sock", "unix://web.sock"],
    [":8080", "tcp://:8080"],
    ["localhost:80", "tcp://localhost:80"],
    ["[::1]:80", "tcp://[::1]:80"],
    ["[localhost]:80", "tcp://localhost:80"],
    ["tcp4://127.0.0.1:0", "tcp4://127.0.0.1:0"],
    ["tcp6://[::]:65535", "tcp6://[::]:65535"],
    ["udp://:53", "udp://:53"],
    ["unixpacket:///run/p", "unixpacket:///run/p"],
    ["unixgram:///run/g", "unixgram:///run/g"],
    ["unix://@abstract", "unix://@abstract"],
    ["fd://3", "fd://3"],
    ["systemd", "systemd"],
    ["systemd:web.socket", "systemd:web.socket"],
    ["systemd:8080", "systemd:8080"],
    ["./systemd", "unix://./systemd"],
    ["tcp://systemd:8080", "tcp://systemd:8080"],
  ])("%s is %s", (uri, expected) => {
    expect(formatAddress(parseUri(uri).address)).toBe(expected);
  });

  test.each([
    ["8080", ":8080"],
    ["127.0.0.1", "127.0.0.1:PORT"],
    ["0.0.0.0", "0.0.0.0:PORT"],
    ["localhost", "localhost:PORT"],
    ["*", ":PORT"],
    ["web.example.com", "web.example.com:PORT"],
    ["8080?backlog=9", ":8080"],
  ])("%s is refused: it names a file, but may be meant as an address", (uri, meant) => {
    const [text = ""] = uri.split("?");
    expect(() => parseUri(uri)).toThrow(`Write ${meant} for a tcp address, ./${text} for a unix socket's file`);
    expect(formatAddress(parseUri(`./${text}`).address)).toBe(`unix://./${text}`);
    expect(formatAddress(parseUri(`unix://${text}`).address)).toBe(`unix://${text}`);
  });

  test("has options after the question mark, and a separate name", () => {
    const parsed = parseUri(
      "tcp://:80?backlog=10&reuseport&nodelay=1&keepalive=0&defer-accept=5&fastopen=16&v6only=true&nonblock&name=http",
    );
    expect(parsed.name).toBe("http");
    expect(parsed.options).toMatchObject({
      backlog: 10,
      reusePort: true,
      noDelay: true,
      keepAlive: false,
      deferAccept: 5,
      fastOpen: 16,
      v6Only: true,
      nonBlocking: true,
    });
    expect(parseUri("/run/s?mode=0660&owner=www&group=33").options).toMatchObject({
      mode: 0o660,
      owner: "www",
      group: "33",
    });
    expect(parseUri("/run/s?nonblock").options.nonBlocking).toBe(true);
    expect(parseUri(":80").options).toMatchObject({ backlog: 4096, nonBlocking: false });
  });

  test.each([
    ["", "is not an address"],
    ["tcp://:65536", "65535"],
    ["tcp://:x", "65535"],
    ["tcp://:", "65535"],
    ["tcp://localhost", "HOST:PORT"],
    ["::1:80", "brackets"],
    ["ftp://x:1", "unknown scheme ftp"],
    ["fd://x", "descriptor number"],
    ["unix://", "requires a path"],
    [`/${"x".repeat(108)}`, "107"],
    [":80?backlog=0", "backlog"],
    [":80?backlog=many", "backlog"],
    [":80?mode=0600", "unix sockets only"],
    ["/run/s?nodelay", "tcp sockets only"],
    ["udp://:1?defer-accept", "tcp sockets only"],
    ["fd://3?v6only", "tcp and udp"],
    ["fd://3?nonblock", "sockets that crank opens"],
    ["systemd:web?nonblock", "NonBlocking=yes"],
    ["/run/s?mode=9", "octal"],
    ["/run/s?owner=", "name or a number"],
    [":80?name=a:b", "colons"],
    [":80?name=%zz", "escape"],
    [":80?__proto__=1", "unknown option"],
    [":80?nodelay=maybe", "must be 1 (on) or 0 (off)"],
  ])("%s is refused with the reason", (uri, part) => {
    expect(() => parseUri(uri)).toThrow(AddressError);
    expect(() => parseUri(uri)).toThrow(part);
  });
});

describe("addresses in the kernel's format", () => {
  test.each([
    ["127.0.0.1", 8080],
    ["0.0.0.0", 1],
    ["::", 65535],
    ["::1", 80],
    ["2001:db8::8:800:200c:417a", 443],
    ["fe80::1", 22],
    ["1:2:3:4:5:6:7:8", 9],
  ])("%s port %d survives the round trip", (host, port) => {
    expect(describeAddress(internetAddress(host, port).bytes)).toEqual({ host, port });
  });

  test("an IPv4 address in an IPv6 one is its last four bytes", () => {
    expect([...internetAddress("::ffff:10.1.2.3", 1).bytes.subarray(18, 24)]).toEqual([255, 255, 10, 1, 2, 3]);
  });

  test("a path ends with a zero byte, an abstract name begins with one", () => {
    expect([...unixAddress("/a")]).toEqual([1, 0, 47, 97, 0]);
    expect([...unixAddress("@a")]).toEqual([1, 0, 0, 97]);
    expect(describeAddress(unixAddress("@a"))).toEqual({ path: "@a" });
    expect(describeAddress(unixAddress("/run/x"))).toEqual({ path: "/run/x" });
  });
});

describe("the address of a control socket", () => {
  test("may have the options of its file, but no name", () => {
    const given = parseUri("/run/web.ctl?mode=0660&group=ops");
    expect(controlOptions("x", given)).toMatchObject({ mode: 0o660, group: "ops" });
    expect(() => controlOptions("x", parseUri("/run/web.ctl?name=web"))).toThrow(
      "-ctl x: name is allowed only for sockets of -bind",
    );
    expect(() => parseUri("/run/web.ctl?modus=0660")).toThrow('unknown option "modus"');
  });
});

describe("a path below crank's directory", () => {
  test("is made absolute, and refused when that does not fit", () => {
    const address = parseUri("web.sock").address;
    expect(locate("u", address, "/srv")).toMatchObject({ path: "/srv/web.sock" });
    expect(locate("u", address, "/")).toMatchObject({ path: "/web.sock" });
    expect(locate("u", parseUri("unix://@web").address, "/srv")).toMatchObject({ path: "@web" });
    expect(() => locate("u", address, `/${"d".repeat(100)}`)).toThrow("u: the path");
  });
});
