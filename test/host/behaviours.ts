// The host's behaviours, one after the other, as JSON: Bun and the engine must give the same results. The environment
// names a working directory, and sockets to connect to.
import { host } from "#host";
import { HostError } from "../../src/host/errors.ts";
import { ACCESS, OPEN } from "../../src/host/files.ts";
import { pattern, refusal, refusalOf, talk, textOf, wait, writeText } from "./acts.ts";

const { clock, files, processes, signals, streams, terminal } = host;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

type Place = { readonly directory: string; readonly echo: string; readonly port: number };
type Behaviour = (place: Place) => unknown;

/** pipe(7) */
const MOST_IN_PIPE = 64 * 1024;

export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  "files are written, read at any position, and described": ({ directory }) => {
    const path = `${directory}/file`;
    const fd = files.open(path, { flags: OPEN.readWrite | OPEN.create | OPEN.exclusive, mode: 0o640 });
    const written = files.write(fd, encoder.encode("0123456789"));
    const bytes = new Uint8Array(6);
    const middle = files.read(fd, bytes.subarray(1, 4), 4);
    files.write(fd, encoder.encode("X"), 9);
    files.changeMode(fd, 0o600);
    const { kind, mode, size, identity } = files.statusOf(fd);
    const isSame = identity === files.status(path).identity;
    files.close(fd);
    return [
      written,
      middle,
      [...bytes],
      kind,
      mode,
      size,
      isSame,
      textOf(path).length,
      files.access(path, ACCESS.read),
    ];
  },

  "one call reads a short file, or the beginning of a long one": ({ directory }) => {
    const path = `${directory}/short`;
    writeText(path, "ä 1 2\n");
    const short = files.beginning(path);
    writeText(path, "x".repeat(1000));
    return [
      short,
      files.beginning(path).length,
      files.beginning(`/proc/${processes.identity().pid}/statm`).split(" ").length,
      refusal(() => files.beginning(`${directory}/none`)),
      refusal(() => files.beginning(directory)),
    ];
  },
  "a full non-blocking pipe can be waited for": async ({ directory }) => {
    const path = `${directory}/pipe`;
    processes.askNow(["mkfifo", path], 10_000);
    const fd = files.open(path, { flags: OPEN.readWrite | OPEN.nonBlocking });
    const bytes = new Uint8Array(MOST_IN_PIPE);
    const first = files.write(fd, bytes);
    const full = refusal(() => files.write(fd, bytes));
    processes.askNow(["sh", "-c", `head -c ${4 * MOST_IN_PIPE} '${path}' >'${path}.read' &`], 10_000);
    let waits = 0;
    for (let written = first; written < 4 * MOST_IN_PIPE; ) {
      try {
        written += files.write(fd, bytes.subarray(0, 4 * MOST_IN_PIPE - written));
      } catch (error) {
        if (!(error instanceof HostError && error.code === "EAGAIN")) throw error;
        files.waitUntilWritable(fd);
        waits += 1;
      }
    }
    const isRead = () => files.status(`${path}.read`).size === 4 * MOST_IN_PIPE;
    for (let tries = 0; tries < 1000 && !isRead(); tries++) await wait(5);
    files.close(fd);
    return [first === MOST_IN_PIPE, full, isRead(), waits > 0];
  },

  "a system error has its code": ({ directory }) => [
    refusal(() => files.open(`${directory}/missing`, { flags: OPEN.readOnly })),
    refusal(() => files.open(`${directory}/file`, { flags: OPEN.readOnly, mustBeDirectory: true })),
    refusal(() => files.open(`${directory}/file`, { flags: OPEN.writeOnly | OPEN.create | OPEN.exclusive })),
    refusal(() => files.open(directory, { flags: OPEN.writeOnly })),
    refusal(() => files.list(`${directory}/file`)),
    refusal(() => files.removeFile(directory)),
    refusal(() => files.close(999)),
    refusal(() => files.read(999, new Uint8Array(1))),
    refusal(() => files.readLink(`${directory}/file`)),
    refusal(() => files.realPath(`${directory}/missing`)),
    refusal(() => files.open("x".repeat(300), { flags: OPEN.readOnly })),
    refusal(() => processes.kill(2 ** 22 + 1, 0)),
  ],

  "names are relative to a directory's descriptor, and links are followed only if permitted": ({ directory }) => {
    files.makeDirectory(`${directory}/room`, 0o700);
    const room = files.open(`${directory}/room`, { flags: OPEN.readOnly, mustBeDirectory: true });
    const fd = files.open("one", { flags: OPEN.writeOnly | OPEN.create, mode: 0o644, directory: room });
    files.close(fd);
    files.rename("one", "two", room);
    files.makeDirectory("inner", 0o700, room);
    const names = [...files.list(`${directory}/room`)].sort();
    const kinds = names.map((name) => files.linkStatus(name, room).kind);
    const link = files.linkStatus("link-to-file", files.open(directory, { flags: OPEN.readOnly })).kind;
    const followed = files.status(`${directory}/link-to-file`).kind;
    const refused = refusal(() => files.open(`${directory}/link-to-file`, { flags: OPEN.readOnly, noFollow: true }));
    const path = files.open("two", { flags: OPEN.readOnly, directory: room, pathOnly: true });
    files.changeMode(path, 0o604);
    const mode = files.statusOf(path).mode;
    const unreadable = refusal(() => files.read(path, new Uint8Array(1)));
    files.removeFile("two", room);
    return [names, kinds, link, followed, refused, mode, unreadable, files.list(`${directory}/room`)];
  },

  "a file is replaced atomically with its mode, and is unchanged on failure": async ({ directory }) => {
    const fd = files.open(directory, { flags: OPEN.readOnly, mustBeDirectory: true });
    writeText(`${directory}/record`, "old");
    const replacement = {
      directory: fd,
      name: "record",
      temporaryName: "record.new",
      bytes: encoder.encode("new"),
      mode: 0o666,
    };
    const pending = files.replace(replacement);
    await pending;
    const mode = files.status(`${directory}/record`).mode;
    writeText(`${directory}/record.new`, "in the way");
    const taken = await refusalOf(files.replace(replacement));
    const kept = textOf(`${directory}/record.new`);
    files.removeFile(`${directory}/record.new`);
    files.makeDirectory(`${directory}/full`, 0o700);
    files.makeDirectory(`${directory}/full/inner`, 0o700);
    const failed = await refusalOf(files.replace({ ...replacement, name: "full" }));
    const left = files.list(directory).filter((name) => name.endsWith(".new"));
    return [textOf(`${directory}/record`), mode, taken, kept, failed, left];
  },

  "a file is read asynchronously, up to a limit": async ({ directory }) => {
    const path = `${directory}/large`;
    const fd = files.open(path, { flags: OPEN.writeOnly | OPEN.create, mode: 0o600 });
    const bytes = pattern(300_000);
    for (let at = 0; at < bytes.length; ) at += files.write(fd, bytes.subarray(at));
    files.close(fd);
    const read = await files.readBeside(path, 300_000);
    return [
      read.length,
      read.every((byte, index) => byte === bytes[index]),
      decoder.decode(await files.readBeside("/proc/self/environ", 1 << 20)).includes("CRANK_WORD=a word"),
      await refusalOf(files.readBeside(path, 299_999)),
      await refusalOf(files.readBeside(`${directory}/missing`, 10)),
      await refusalOf(files.readBeside(`${directory}/link-to-file`, 10)),
      await refusalOf(files.readBeside(directory, 10)),
    ];
  },

  "a stream sends and receives more than the kernel buffers, in order": async ({ echo, port }) => [
    await talk((handlers) => streams.connectUnix(echo, handlers), pattern(1_000_000)),
    await talk((handlers) => streams.connectTcp("127.0.0.1", port, handlers), pattern(100_000)),
    await talk((handlers) => streams.connectUnix(echo, handlers), new Uint8Array(0)),
  ],

  "a failed connection has its code": async ({ directory, port }) => {
    const none = { data: () => {}, close: () => {} };
    return [
      await refusalOf(streams.connectUnix(`${directory}/missing`, none)),
      await refusalOf(streams.connectUnix(`${directory}/file`, none)),
      await refusalOf(streams.connectTcp("127.0.0.1", port + 1, none)),
    ];
  },

  "a destroyed stream calls no handlers": async ({ echo }) => {
    const said: string[] = [];
    const stream = await streams.connectUnix(echo, { data: () => said.push("data"), close: () => said.push("close") });
    stream.write(pattern(10));
    stream.destroy();
    stream.destroy();
    stream.write(pattern(10));
    await stream.flushed();
    await wait(20);
    return [said, stream.unsent];
  },

  "a program is run with a time limit": async () => [
    await processes.ask(["sh", "-c", "printf '%s' \"ä $0\"; exit 3", "word"], 5000),
    processes.askNow(["sh", "-c", "cat; echo answer; echo error >&2"], 5000),
    (await processes.ask(["sleep", "60"], 20)).status,
    processes.askNow(["sleep", "60"], 20).status,
    // It closes its standard output and continues.
    (await processes.ask(["sh", "-c", "exec >&-; exec sleep 60"], 100)).status,
    processes.askNow(["sh", "-c", "exec >&-; exec sleep 60"], 100).status,
    (await processes.ask(["sh", "-c", "kill -9 $$"], 5000)).status,
    await refusalOf(processes.ask(["/nowhere/program"], 5000)),
    refusal(() => processes.askNow(["/nowhere/program"], 5000)),
  ],

  "signals are delivered until their listeners are removed": async () => {
    const heard: string[] = [];
    const { pid } = processes.identity();
    const hold = clock.every(1000, () => {});
    const forgetOne = signals.on("SIGUSR2", () => heard.push("one"));
    const forgetTwo = signals.on("SIGUSR2", () => heard.push("two"));
    processes.kill(pid, 12);
    while (heard.length < 2) await wait(1);
    forgetOne();
    processes.kill(pid, 12);
    while (heard.length < 3) await wait(1);
    forgetTwo();
    hold.cancel();
    return heard;
  },

  "timers fire in the order of their times, unless cancelled": async () => {
    const came: string[] = [];
    clock.after(30, () => came.push("third"));
    clock.after(5, () => came.push("first"));
    clock.after(15, () => came.push("second"));
    clock.after(10, () => came.push("never")).cancel();
    let turns = 0;
    const timer = clock.every(4, () => {
      if (++turns === 3) timer.cancel();
    });
    // Without release, this one would keep the process alive for a minute.
    clock.after(60_000, () => {}).release();
    await wait(60);
    return [came, turns, clock.wallNow() > 1.7e12, Number.isInteger(clock.wallNow())];
  },

  "random bytes differ": () => {
    const [one, other] = [new Uint8Array(16), new Uint8Array(16)];
    clock.random(one);
    clock.random(other);
    return one.some((byte, index) => byte !== other[index]);
  },

  "text is encoded and decoded as the Encoding Standard defines": () => {
    const stream = new TextDecoder();
    const bytes = encoder.encode("\ufeffa\u0000ä€😀z");
    const parts = [...bytes].map((byte) => stream.decode(new Uint8Array([byte]), { stream: true }));
    const fatal = (values: readonly number[]): string => {
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(values));
      } catch (error) {
        return error instanceof TypeError ? "TypeError" : String(error);
      }
    };
    return [
      [...encoder.encode("a\u0000ä€😀")],
      parts.join("") + stream.decode(),
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).length,
      fatal([0x61, 0xc3, 0xa4]),
      [[0xc3], [0xff], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]].map(fatal),
      new TextDecoder().decode(new Uint8Array([0x61, 0xff, 0x62])),
      new TextDecoder("latin1").decode(Uint8Array.from({ length: 256 }, (_, byte) => byte)),
    ];
  },

  "the process knows its arguments and environment": () => {
    const { pid, parent, uid, gid } = processes.identity();
    return [
      processes.arguments(),
      processes.environment().CRANK_WORD,
      processes.environment().CRANK_MISSING ?? null,
      processes.variable("CRANK_WORD"),
      processes.variable("CRANK_WOR") ?? null,
      processes.workingDirectory() === files.realPath("."),
      pid > 1 && parent > 0 && uid >= 0 && gid >= 0,
      terminal.isTerminal(0),
      terminal.size(1),
    ];
  },

  "typed input arrives as characters, followed by its end": () =>
    new Promise((resolve) => {
      let typed = "";
      terminal.read({
        typed: (text) => {
          typed += text;
        },
        ended: () => resolve(typed),
      });
    }),
};

/** Prints the result of each, as JSON. */
export const runBehaviours = async (): Promise<void> => {
  const { CRANK_PLACE = "{}" } = processes.environment();
  const place: Place = JSON.parse(CRANK_PLACE);
  const results: Record<string, unknown> = {};
  for (const [name, act] of Object.entries(BEHAVIOURS)) results[name] = (await act(place)) ?? null;
  const bytes = encoder.encode(`${JSON.stringify(results, null, 1)}\n`);
  for (let at = 0; at < bytes.length; ) at += files.write(1, bytes.subarray(at));
};
