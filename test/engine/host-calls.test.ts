// The host calls for TypeScript, one by one and at random, under the address and undefined-behaviour sanitizers: any
// arguments are refused or accepted, and no memory outside of a buffer is accessed. For more turns or others, set
// CRANK_FUZZ_TURNS and CRANK_ENGINE_SEED.
import { afterAll, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Images, isBuilt, SANITIZED } from "./harness.ts";

const images = new Images();
const home = mkdtempSync(join(tmpdir(), "crank-calls-"));
afterAll(() => {
  images.remove();
  rmSync(home, { recursive: true, force: true });
});

const TURNS = Number(process.env.CRANK_FUZZ_TURNS ?? 30_000);
const SEED = Number(process.env.CRANK_ENGINE_SEED ?? 2);

/** Settings of the sanitizers: every error ends the process. */
const environment = {
  ASAN_OPTIONS: "detect_leaks=0:abort_on_error=0:exitcode=86",
  UBSAN_OPTIONS: "print_stacktrace=1",
};

/** Runs `body` at the start. Returns the lines of its output. */
const said = (name: string, body: string, input = ""): readonly string[] => {
  const image = images.make(name, `run(() => { ${body} });`, SANITIZED);
  const { status, stdout, stderr } = images.run(image, { program: SANITIZED, environment, cwd: home, input });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.trimEnd().split("\n");
};

const CALLS = `const HERE = -100; const show = (value) => say(JSON.stringify(value) ?? "undefined");`;

describe.skipIf(!isBuilt)("host calls (make engine)", () => {
  test("open, read, write and describe files", () => {
    writeFileSync(join(home, "file"), "0123456789");
    const lines = said(
      "files",
      `${CALLS} const fd = sys.open(HERE, "file", 2, 0); const room = new Uint8Array(8);
       show(sys.read(fd, room, 2, 4, -1)); show([...room]); show(sys.read(fd, room, 0, 8, 7));
       show(sys.write(fd, sys.encode("abc"), 1, 2, 0)); const status = sys.statusOf(fd); show([status[2] & 0o170000, status[7], status.length]);
       show(sys.status(HERE, "file", false)[10] === status[10]);
       show(sys.changeMode(fd, 0o600)); show(sys.close(fd)); show(sys.close(fd)); show(sys.open(HERE, "missing", 0, 0)); show(sys.open(HERE, "nu\\0l", 0, 0));`,
    );
    expect(lines).toEqual([
      "4",
      "[0,0,48,49,50,51,0,0]",
      "3",
      "2",
      "[32768,10,11]",
      "true",
      "0",
      "0",
      "-9",
      "-2",
      "-22",
    ]);
    expect(readFileSync(join(home, "file"), "utf8")).toBe("bc23456789");
    expect(statSync(join(home, "file")).mode & 0o777).toBe(0o600);
  });

  test("create, list, rename and remove names, and follow links only on request", () => {
    symlinkSync("/etc/passwd", join(home, "link"));
    mkdirSync(join(home, "room"));
    const lines = said(
      "directories",
      `${CALLS} show(sys.makeDirectory(HERE, "room/new", 0o700)); show(sys.rename(HERE, "room/new", HERE, "room/old")); show(sys.list(HERE, "room"));
       show(sys.remove(HERE, "room/old")); show(sys.list(HERE, "nowhere")); show(sys.readLink(HERE, "link"));
       show(sys.status(HERE, "link", false)[2] >> 12); show(sys.open(HERE, "link", 1 << 24, 0)); show(sys.realPath("link")); show(sys.workingDirectory() === sys.realPath("."));`,
    );
    expect(lines).toEqual(["0", "0", '["old"]', "-21", "-2", '"/etc/passwd"', "10", "-40", '"/etc/passwd"', "true"]);
    expect(readdirSync(join(home, "room"))).toEqual(["old"]);
  });

  test("decode and encode UTF-8 as the standard defines", () => {
    const lines = said(
      "text",
      `${CALLS} const decode = (...bytes) => sys.decode(new Uint8Array(bytes), 0, bytes.length, true);
       show([...sys.encode("a\\0\\u00e4\\u20ac\\u{1f600}")]); show(decode(0x61, 0, 0xe2, 0x82, 0xac));
       for (const bad of [[0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf0, 0x80, 0x80, 0x80], [0xff], [0xe2, 0x82], [0x80]]) show(decode(...bad));
       show(sys.decode(new Uint8Array([0x61, 0xff, 0x62]), 0, 3, false));`,
    );
    expect(lines).toEqual([
      "[97,0,195,164,226,130,172,240,159,152,128]",
      '"a\\u0000€"',
      ...Array(8).fill("undefined"),
      '"a\ufffdb"',
    ]);
  });

  test("pack fields into bytes, unpack them, and leave what does not fit", () => {
    const lines = said(
      "fields",
      `${CALLS} const room = new Uint8Array(16);
       show(sys.pack(room, 1, "bwq", 255, 4294967295, 9007199254740991)); show([...room]); show(sys.unpack(room, 1, 14, "bwq"));
       show(sys.pack(room, 0, "it", -2, "\u00e4")); show([...room.subarray(0, 10)]); show(sys.unpack(room, 0, 10, "it")); show([...sys.unpack(room, 4, 10, "y")[0]]);
       for (const [layout, value] of [["b", 256], ["b", -1], ["w", 4294967296], ["w", 0.5], ["i", 2147483648], ["q", 9007199254740992], ["q", NaN], ["q", "7"], ["t", 7], ["t", "thirteen more"], ["b", undefined]]) show(sys.pack(room, 0, layout, value));
       show(sys.pack(room, 16, "b", 1)); show(sys.pack(room, 99, "b", 1)); show(sys.pack(room, 0, "bb", 1));
       room.fill(255); show(sys.unpack(room, 0, 8, "q")); show(sys.unpack(room, 0, 16, "t")); show(sys.unpack(room, 0, 2, "b")); show(sys.unpack(room, 0, 3, "w")); show(sys.unpack(room, 0, 17, "b")); show(sys.unpack(room, 4, 2, "b"));`,
    );
    expect(lines).toEqual([
      "14",
      "[0,255,255,255,255,255,255,255,255,255,255,255,31,0,0,0]",
      "[255,4294967295,9007199254740991]",
      "10",
      "[254,255,255,255,2,0,0,0,195,164]",
      '[-2,"ä"]',
      "[195,164]",
      ...Array(20).fill("-1"),
    ]);
  });

  test("decode any bytes and encode any string like V8", () => {
    const body = `const pool = [0x61, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff]; let state = ${SEED};
      const next = (end) => { state = (Math.imul(state, 1103515245) + 12345) >>> 0; return (state >>> 16) % end; };
      const units = [0x61, 0xe4, 0x20ac, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xfffd]; const lines = [];
      for (let turn = 0; turn < 3000; turn++) {
        const text = decode(Uint8Array.from({ length: 1 + next(7) }, () => pool[next(pool.length)]));
        const other = encode(Array.from({ length: 1 + next(5) }, () => String.fromCharCode(units[next(units.length)])).join(""));
        lines.push([...text].map((one) => one.codePointAt(0).toString(16)).join(" ") + "/" + [...other].map((one) => one.toString(16)).join(" "));
      }`;
    const here = said(
      "any",
      `const decode = (bytes) => sys.decode(bytes, 0, bytes.length, false); const encode = sys.encode; ${body} for (const line of lines) say(line);`,
    );
    const there = `const decode = (bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes); const encode = (text) => new TextEncoder().encode(text); ${body} console.log(lines.join("\\n"));`;
    const { stdout } = Bun.spawnSync(["node", "-e", there]);
    expect(here).toEqual(stdout.toString().trimEnd().split("\n"));
  });

  test("start a program, read its output, and report its exit status", () => {
    const lines = said(
      "processes",
      `${CALLS} const [pid, fd] = sys.start(["sh", "-c", "echo from the shell; exit 7"]); const room = new Uint8Array(100);
       const count = sys.read(fd, room, 0, 100, -1); say(sys.decode(room, 0, count, true).trimEnd()); show(sys.wait(pid, true)); show(sys.wait(pid, true));
       show(sys.start(["/nowhere/at/all"])); show(sys.start([])); show(sys.start(Array(40).fill("x"))); show(sys.start(["x", 7])); show(sys.start("x"));
       const [other] = sys.start(["sleep", "60"]); show(sys.wait(other, false)); show(sys.kill(other, 15)); show(sys.wait(other, true));`,
    );
    expect(lines).toEqual(["from the shell", "7", "-10", "-2", "-22", "-22", "-22", "-22", "-11", "0", "271"]);
  });

  test("wait for descriptors, signals and time", () => {
    const lines = said(
      "waiting",
      `${CALLS} const set = new Int32Array([0, 1, 1, 4]); const bytes = new Uint8Array(set.buffer); show(sys.poll(bytes, 2, 1000)); show([...set]);
       const fd = sys.watchSignal(12); show(sys.nextSignal()); sys.kill(sys.identity()[0], 12); const one = new Int32Array([fd, 1]);
       show(sys.poll(new Uint8Array(one.buffer), 1, -1)); show(sys.nextSignal()); show(sys.nextSignal());
       const from = sys.monotonicNow(); sys.poll(new Uint8Array(0), 0, 20); show(sys.monotonicNow() - from >= 20); show(sys.wallNow() > 1.7e12);`,
    );
    expect(lines).toEqual(
      ["2", "[0,16,1,4]", "0", "1", "12", "0", "true", "true"].map((line, index) =>
        index === 1 ? (lines[1] ?? "") : line,
      ),
    );
    expect(lines[1]).toMatch(/^\[0,(1|16|17),1,4\]$/);
  });

  test("throw at a wrong type or a position outside of a buffer before they act", () => {
    const wrong = [
      "read(0, new Uint8Array(4), 0, 5, -1)",
      "read(0, new Uint8Array(4), 5, 0, -1)",
      "read(0, new Uint8Array(4), -1, 1, -1)",
      "read(0, new Uint8Array(4), 1.5, 1, -1)",
      "read(0, new Uint8Array(4), NaN, 1, -1)",
      "read(0, new Uint8Array(4), 4294967297, 1, -1)",
      "read(0, [1, 2, 3], 0, 1, -1)",
      "read(0, new Uint16Array(4), 0, 1, -1)",
      'read("0", new Uint8Array(4), 0, 1, -1)',
      "read(0)",
      "write(1, new Uint8Array(4), 2, 3, -1)",
      "send(1, new Uint8Array(4), 0, 2147483648)",
      "decode(new Uint8Array(4), 3, 2, false)",
      "poll(new Uint8Array(15), 2, 0)",
      "poll(new Uint8Array(16), 3, 0)",
      "poll(new Uint8Array(16), 2000, 0)",
      "random(new Uint8Array(257))",
      "exit(256)",
      "kill(1, 65)",
      "kill(1e300, 0)",
      "kill(-1, 0)",
      "open(-100, 7, 0, 0)",
      'open(-100, "file", -1, 0)',
      'status(-100, "file", 1)',
      "setHooks(1, 2, 3)",
      "encode(7)",
      'pack(new Uint8Array(4), -1, "b", 1)',
      "unpack(new Uint8Array(4), 0, 4, 7)",
      "watchSignal(0)",
    ];
    const lines = said(
      "wrong",
      `for (const act of [${wrong.map((text) => `() => sys.${text}`).join(", ")}]) try { say("done: " + JSON.stringify(act())); } catch (error) { say(error.message); }`,
    );
    expect(lines.map((line) => line.replace(/:.*/, ""))).toEqual(
      wrong.map((text) => `hostCalls.${text.replace(/\(.*/, "")}`),
    );
  });

  test("set a priority, and the mode of a terminal", () => {
    const lines = said(
      "others",
      `${CALLS} show(sys.setPriority(0, 5)); show(sys.setPriority(sys.identity()[0], 6)); show(sys.setPriority(2147483647, 5));
       show(sys.setRaw(0, true)); show(sys.setRaw(0, false)); show(sys.setRaw(1000, true)); show(sys.undoScreen("\\u001b[?25h")); show(typeof sys.engineVersion());`,
    );
    expect(lines).toEqual(["0", "0", "-3", "-25", "0", "-9", "0", '"string"']);
  });

  test("pass on exceptions of getters, proxies and conversions, or refuse them, and continue", () => {
    const lines = said(
      "getters",
      `const bad = () => { throw new RangeError("of the getter"); };
       const odd = [Object.defineProperty([], 0, { get: bad }), Object.defineProperty(["a"], 1, { get: bad }), Object.defineProperty({}, "length", { get: bad }),
         new Proxy([], { get: bad }), new Proxy(new Uint8Array(8), { get: bad, getPrototypeOf: bad }), { toString: bad, valueOf: bad, [Symbol.toPrimitive]: bad },
         Object.defineProperty(new Uint8Array(8), "length", { get: bad }), Object.defineProperty(new Uint8Array(8), "buffer", { get: bad }), Object.setPrototypeOf(new Uint8Array(8), null)];
       const last = { exit: 1, setHooks: 1 };
       for (const name of Object.keys(sys)) {
         if (last[name]) continue;
         for (const value of odd) for (let place = 0; place < 5; place++) {
           const list = name === "poll" ? [new Uint8Array(0), 0, 0] : name === "kill" || name === "setPriority" ? [2147483647, 0] : name === "setRaw" || name === "close" ? [1000, true] : [1000, "a", "b", "c", 0];
           list[place] = value;
           try { sys[name](...list); } catch (error) { if (!/^hostCalls\\./.test(error.message) && error.message !== "of the getter") throw error; }
         }
       }
       try { sys.setHooks(odd[3], odd[4], odd[5]); } catch (error) { say(error.message.replace(/:.*/, "")); }
       say("all is well");`,
    );
    expect(lines).toEqual(["hostCalls.setHooks", "all is well"]);
  });

  test("survive random calls that start, signal and wait for processes", () => {
    const body = `
      let state = ${SEED} >>> 0;
      const next = () => { state = (state + 0x6d2b79f5) >>> 0; let m = state; m = Math.imul(m ^ (m >>> 15), m | 1); m ^= m + Math.imul(m ^ (m >>> 7), m | 61); return ((m ^ (m >>> 14)) >>> 0) / 2 ** 32; };
      const pick = (list) => list[Math.floor(next() * list.length)];
      // No process has such a pid (proc_sys_kernel(5), pid_max), and only signal 0 is sent, which has no effect.
      const pids = [4194305, 2147483647, 2147483648, -2147483648, 1.5, NaN, Infinity, "1", null, undefined, {}, 7n];
      const odd = [-1, 0, 1, 64, 65, 1e300, NaN, "a", null, undefined, true, {}, [], Symbol.iterator, () => 1];
      const words = ["/nowhere", "true", "", "nul\\0", "x".repeat(300), 7, null, undefined, {}, "\\ud800"];
      let done = 0; let refused = 0;
      for (let turn = 0; turn < ${Math.ceil(TURNS / 10)}; turn++) {
        const name = pick(["kill", "setPriority", "wait", "start", "setRaw", "setHooks", "exit"]);
        let list = [pick(pids), pick(odd), pick(odd)].slice(0, Math.floor(next() * 4));
        if (name === "kill") list[1] = pick([0, -1, 65, 1e300, NaN, "a", null, {}]);
        if (name === "wait") list[1] = pick([false, 0, "x", undefined]);
        if (name === "start") list = [next() < 0.1 ? pick(odd) : ["/nowhere", ...Array.from({ length: Math.floor(next() * 20) }, () => pick(words))].slice(Math.floor(next() * 1.05))];
        if (name === "setRaw") list[0] = pick([1000, -1, 4294967296, "0", null]);
        if (name === "setHooks") list = [pick(odd.slice(0, -1)), pick(odd), pick(odd)];
        if (name === "exit") list = [pick([-1, 256, 1.5, NaN, "0", null, undefined, {}])];
        try { const result = sys[name](...list); done++; if (Array.isArray(result)) { sys.close(result[1]); sys.wait(result[0], true); } }
        catch (error) { refused++; if (!/^hostCalls\\./.test(error.message)) throw error; }
      }
      say(String(done > 100) + String(refused > 100));`;
    expect(said("ends", body)).toEqual(["truetrue"]);
  });

  test("survive random arguments", () => {
    // Without those that would end the process or block: earlier tests cover their arguments.
    const body = `
      let state = ${SEED} >>> 0;
      const next = () => { state = (state + 0x6d2b79f5) >>> 0; let m = state; m = Math.imul(m ^ (m >>> 15), m | 1); m ^= m + Math.imul(m ^ (m >>> 7), m | 61); return ((m ^ (m >>> 14)) >>> 0) / 2 ** 32; };
      const pick = (list) => list[Math.floor(next() * list.length)];
      const left = ["exit", "kill", "setPriority", "wait", "start", "setHooks", "setRaw"];
      const names = Object.keys(sys).filter((name) => !left.includes(name));
      const buffer = new Uint8Array(64); const frozen = Object.freeze({ length: 3 });
      const gone = new Uint8Array(16); structuredCloneLike(gone);
      function structuredCloneLike(array) { try { array.buffer.transfer(); } catch {} }
      const values = [0, 1, -1, -100, 3, 4, 5, 7, 8, 63, 64, 65, 255, 256, 4096, 2147483647, -2147483648, 4294967295, 4294967296, 2 ** 53, 1.5, NaN, Infinity, -Infinity, -0, 1e300,
        "", "a", "b/c", ".", "..", "x".repeat(300), "x".repeat(5000), "nul\\0", "\\ud800", "\\u20ac", null, undefined, true, false, {}, frozen, [], ["a"], Symbol.iterator, 7n, () => 1,
        buffer, buffer.subarray(3, 9), new Uint8Array(0), new Uint8Array(8), new Int32Array(4), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), gone, new Uint8Array(new ArrayBuffer(16, { maxByteLength: 64 }))];
      const bytes = values.filter((v) => v instanceof Uint8Array); const numbers = values.filter((v) => typeof v === "number"); const small = [0, 1, 2, 3, 4, 8];
      let done = 0; let refused = 0;
      for (let turn = 0; turn < ${TURNS}; turn++) {
        const name = pick(names);
        const count = Math.floor(next() * 7);
        const list = Array.from({ length: count }, () => next() < 0.4 ? pick(small) : next() < 0.3 ? pick(bytes) : next() < 0.3 ? pick(numbers) : pick(values));
        // Only its own descriptors, no blocking, and no name outside of this directory.
        if (name === "poll") list[2] = 0;
        if (["close", "read", "receive", "write", "send", "changeMode", "endSending", "startReplacing"].includes(name) && !(typeof list[0] === "number" && list[0] >= 3)) list[0] = 1000;
        if (["open", "makeDirectory", "rename", "remove"].includes(name)) { list[0] = pick([-100, 1000, "x"]); list[1] = pick(["a", "b", "a/b", "nul\\0", "x".repeat(300), 7]); }
        if (name === "open") { list[2] = pick([0, 64, 65, 1 << 24, 1 << 25, 1 << 26, 1 << 27, 2048, -1]) | 2048; list[3] = 0o600; }
        if (name === "rename") { list[2] = -100; list[3] = pick(["a", "b", 1]); }
        if (name === "watchSignal" || name === "leaveSignal") list[0] = pick([10, 12, 65, -1]);
        try { sys[name](...list); done++; } catch (error) { refused++; if (!/^hostCalls\\./.test(error.message)) throw error; }
        if (turn % 500 === 0) for (let fd = 3; fd < 200; fd++) sys.close(fd);
      }
      say(String(done > ${TURNS / 20}) + String(refused > ${TURNS / 20}));`;
    mkdirSync(join(home, "random"));
    const image = images.make("random", `run(() => { ${body} });`, SANITIZED);
    const { status, stdout, stderr } = images.run(image, {
      program: SANITIZED,
      environment,
      cwd: join(home, "random"),
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "truetrue\n", stderr: "" });
  });
});
