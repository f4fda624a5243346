// The names of a real keeper's unix sockets: restored when they are removed, left to other processes that use them, and
// never followed to another file.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { COMMANDS, NAME_STATES } from "../../../src/keeper/protocol.ts";
import { SOCK_STREAM } from "../../../src/supervisor/os/sockaddr.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { DrivenKeeper, openUnix, python, until, untilThere } from "../harness/driven-keeper.ts";
import { endProcess } from "../harness/real-keeper.ts";

const ESTALE = 116;

let keeper: DrivenKeeper;
let strangers: Bun.Subprocess[];
beforeEach(async () => {
  keeper = new DrivenKeeper();
  strangers = [];
  await keeper.start();
});
afterEach(async () => {
  for (const stranger of strangers) {
    endProcess(stranger.pid);
    await stranger.exited;
  }
  await keeper.clean();
});

/** Opens the control socket as handle 1 at this name, and watches the name. */
const openWatched = async (name: string, spare: string): Promise<void> => {
  keeper.commit([
    openUnix(1, keeper.path(name), SOCK_STREAM),
    { kind: "acceptOn", handle: 1 },
    { kind: "watchName", handle: 1, spare },
    { kind: "mark", token: 1 },
  ]);
  await keeper.event("opened");
  await keeper.event("reached");
};

/** Whether the keeper receives lines at a path. */
const isHeard = async (path: string, text: string): Promise<boolean> => {
  const client = connect(path);
  client.write(`${text}\n`);
  const { bytes } = await keeper.eventually("line");
  client.destroy();
  return new TextDecoder().decode(bytes) === text;
};

const state = async (): Promise<number> => (await keeper.event("nameChanged")).state;

/** Another process listens at the path. */
const listenAt = async (path: string): Promise<number> => {
  const process = Bun.spawn(
    python(
      // It gets its name only when it listens.
      `import os,socket,time;n=${JSON.stringify(path)};s=socket.socket(socket.AF_UNIX);s.bind(n+".new");s.listen();os.rename(n+".new",n);time.sleep(600)`,
    ),
    { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
  );
  strangers.push(process);
  await untilThere(path);
  return process.pid;
};

describe("a watched name", () => {
  test("is restored with the same file and socket when it is removed", async () => {
    await openWatched("socket", keeper.path("spare"));
    const { ino } = statSync(keeper.path("socket"));
    rmSync(keeper.path("socket"));
    expect(await state()).toBe(NAME_STATES.restored);
    expect(statSync(keeper.path("socket")).ino).toBe(ino);
    expect(await isHeard(keeper.path("socket"), "hello")).toBe(true);
  });

  test("is restored from a name beside it when no second name is given", async () => {
    await openWatched("socket", "");
    expect(lstatSync(keeper.path(".socket.crank")).ino).toBe(statSync(keeper.path("socket")).ino);
    rmSync(keeper.path("socket"));
    expect(await state()).toBe(NAME_STATES.restored);
    expect(await isHeard(keeper.path("socket"), "hello")).toBe(true);
  });

  test("is restored when it is renamed", async () => {
    await openWatched("socket", keeper.path("spare"));
    renameSync(keeper.path("socket"), keeper.path("elsewhere"));
    expect(await state()).toBe(NAME_STATES.restored);
    expect(await isHeard(keeper.path("socket"), "hello")).toBe(true);
  });

  test("is checked on the supervisor's command", async () => {
    await openWatched("socket", keeper.path("spare"));
    keeper.commit([
      { kind: "watchName", handle: 1, spare: keeper.path("spare") },
      { kind: "mark", token: 2 },
    ]);
    // The name was intact, so no event follows.
    expect(await keeper.event("reached")).toMatchObject({ token: 2 });
  });

  test("at which another process listens is left to it, and restored when that exits", async () => {
    await openWatched("socket", keeper.path("spare"));
    const pid = await listenAt(keeper.path("another"));
    renameSync(keeper.path("another"), keeper.path("socket"));
    expect(await keeper.event("nameChanged")).toMatchObject({ handle: 1, state: NAME_STATES.taken, pid });
    endProcess(pid);
    await strangers[0]?.exited;
    let found = await keeper.event("nameChanged");
    while (found.state === NAME_STATES.taken) found = await keeper.event("nameChanged");
    expect(found.state).toBe(NAME_STATES.restored);
    expect(await isHeard(keeper.path("socket"), "hello")).toBe(true);
  });

  test("that another file has is left as it is", async () => {
    await openWatched("socket", keeper.path("spare"));
    writeFileSync(keeper.path("file"), "precious");
    symlinkSync(keeper.path("file"), keeper.path("link"));
    renameSync(keeper.path("link"), keeper.path("socket"));
    expect(await state()).toBe(NAME_STATES.blocked);
    expect(lstatSync(keeper.path("socket")).isSymbolicLink()).toBe(true);
    rmSync(keeper.path("socket"));
    let found = await state();
    while (found === NAME_STATES.blocked) found = await state();
    expect(found).toBe(NAME_STATES.restored);
  });

  test("is bound again when both names are removed, and lines are received there", async () => {
    await openWatched("socket", keeper.path("spare"));
    const { ino, mode } = statSync(keeper.path("socket"));
    rmSync(keeper.path("spare"));
    // A removed name is restored from the other one, so both must be removed while the keeper is stopped.
    await until("the second name", () => existsSync(keeper.path("spare")));
    process.kill(keeper.pid, "SIGSTOP");
    rmSync(keeper.path("spare"));
    rmSync(keeper.path("socket"));
    process.kill(keeper.pid, "SIGCONT");
    expect((await keeper.eventually("nameChanged")).state).toBe(NAME_STATES.lost);
    keeper.commit([
      { kind: "bindAgain", handle: 1, kept: 7 },
      { kind: "watchName", handle: 1, spare: keeper.path("spare") },
    ]);
    expect(await keeper.eventually("opened")).toMatchObject({ handle: 1, listening: 1 });
    expect(statSync(keeper.path("socket")).mode).toBe(mode);
    expect(statSync(keeper.path("socket")).ino === ino && !existsSync(keeper.path("spare"))).toBe(false);
    expect(await isHeard(keeper.path("socket"), "hello")).toBe(true);
    rmSync(keeper.path("socket"));
    expect((await keeper.eventually("nameChanged")).state).toBe(NAME_STATES.restored);
  });

  test("is restored after a re-exec too", async () => {
    await openWatched("socket", keeper.path("spare"));
    keeper.commit([{ kind: "execute", path: process.env.CRANK_KEEPER ?? `${import.meta.dir}/../../../bin/crank` }]);
    await keeper.nextLife();
    keeper.attach();
    rmSync(keeper.path("socket"));
    expect((await keeper.eventually("nameChanged")).state).toBe(NAME_STATES.restored);
    expect(await isHeard(keeper.path("socket"), "hello")).toBe(true);
  });

  test("that is removed all the time costs little, because the pauses grow", async () => {
    await openWatched("socket", keeper.path("spare"));
    for (let times = 0; times < 64; times++) {
      rmSync(keeper.path("socket"));
      expect(await state()).toBe(NAME_STATES.restored);
      keeper.commit([]);
    }
    rmSync(keeper.path("socket"));
    const { deliveredAt } = await keeper.event("nameChanged");
    rmSync(keeper.path("socket"));
    const next = await keeper.event("nameChanged");
    expect(next.deliveredAt - deliveredAt).toBeGreaterThanOrEqual(900);
  });

  test("is removed at the end with the second one if it leads to the socket; another file stays", async () => {
    await openWatched("socket", keeper.path("spare"));
    keeper.commit([openUnix(2, keeper.path("other"), SOCK_STREAM)]);
    await keeper.event("opened");
    rmSync(keeper.path("other"));
    writeFileSync(keeper.path("other"), "precious");
    keeper.commit([
      { kind: "removeName", handle: 1 },
      { kind: "removeName", handle: 2 },
      { kind: "mark", token: 3 },
    ]);
    await keeper.event("reached");
    expect(["socket", "spare", "other"].map((name) => existsSync(keeper.path(name)))).toEqual([false, false, true]);
  });
});

describe("changing the owner of a socket's file", () => {
  needing(ROOT_USER).test("changes the file's owner without an event", async () => {
    await openWatched("socket", keeper.path("spare"));
    keeper.commit([
      { kind: "giveName", handle: 1, uid: 65534, gid: 0xffffffff },
      { kind: "mark", token: 2 },
    ]);
    await keeper.event("reached");
    expect(statSync(keeper.path("socket")).uid).toBe(65534);
  });

  needing(ROOT_USER).test("does not follow a link that replaced it", async () => {
    keeper.commit([openUnix(1, keeper.path("socket"), SOCK_STREAM)]);
    await keeper.event("opened");
    writeFileSync(keeper.path("secret"), "root's");
    rmSync(keeper.path("socket"));
    symlinkSync(keeper.path("secret"), keeper.path("socket"));
    keeper.commit([{ kind: "giveName", handle: 1, uid: 65534, gid: 0xffffffff }]);
    const command = COMMANDS.giveName.code;
    expect(await keeper.event("failed")).toMatchObject({ command, id: 1, step: "chown", errno: ESTALE });
    expect(statSync(keeper.path("secret")).uid).toBe(0);
  });
});
