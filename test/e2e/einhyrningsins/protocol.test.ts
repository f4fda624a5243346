// einhyrningsins' line protocol byte by byte, from a plain socket: what each command answers, and what bad lines do.
import { describe, expect } from "bun:test";
import { CRANKCTL, type Running } from "../harness/bench.ts";
import { type Stage, said, scene, workers, workersOf } from "../harness/einhyrningsins.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

const line = (command: string, ...args: string[]): string => `${JSON.stringify({ command, args })}\n`;

/** Sends the lines, and expects exactly these bytes back. */
const expectAnswer = async (stage: Stage, sent: string | Uint8Array, answer: string): Promise<void> => {
  expect(await stage.exchange(sent, answer.length)).toBe(answer);
};

const served = async (stage: Stage, ...flags: string[]): Promise<Running> => {
  const master = stage.master(flags, "v1");
  await workers(master, Number(flags[1] ?? 1));
  return master;
};

describe("the commands", () => {
  scene("ehlo, version and an unknown command are answered", async (stage) => {
    await served(stage);
    await expectAnswer(stage, line("ehlo"), '"Hi there!"\n\r');
    await expectAnswer(stage, line("version"), '"einhyrningsinsctl 0.2.0"\n');
    await expectAnswer(stage, line("bogus"), `"Missing or unhandled 'command'"\n`);
    await expectAnswer(stage, '{"args":[]}\n', `"Missing or unhandled 'command'"\n`);
    await expectAnswer(stage, `${line("ehlo")}${line("version")}`, '"Hi there!"\n\r"einhyrningsinsctl 0.2.0"\n');
  });

  scene("help lists every command, as one JSON string", async (stage) => {
    await served(stage);
    const answer = await stage.exchange(line("help"));
    expect(answer).toEndWith('"\n');
    const text: unknown = JSON.parse(answer);
    for (const command of ["inc", "dec", "upgrade", "die", "signal", "status", "help", "version"])
      expect(text).toMatch(new RegExp(`^ +${command} `, "m"));
  });

  scene("inc starts one more worker, dec stops one, and einhyrningsins ends with the last one", async (stage) => {
    const master = await served(stage);
    await expectAnswer(stage, line("inc"), '"Spawned! Went from 1 to 2"\n');
    await workers(master, 2);
    await expectAnswer(stage, line("dec"), '"Notified! Went from 2 to 1"\n');
    await waitFor("one to be left", () => workersOf(master).filter(isAlive).length === 1);
    await expectAnswer(stage, line("dec"), '"Notified! Went from 1 to 0"\n');
    expect((await master.ended).status).toBe(0);
  });

  scene("dec says when nothing is left to shut down", async (stage) => {
    const master = stage.master([], "v1", "deaf", "deaf-to-term");
    await workers(master, 1);
    await expectAnswer(stage, line("dec"), '"Notified! Went from 1 to 0"\n');
    await expectAnswer(stage, line("dec"), '"Already at count=0, no-op"\n');
    await expectAnswer(stage, line("die"), '"Sent shutdown to all children!"\n');
    await expectAnswer(stage, line("dec"), '"No live workers to shutdown! :("\n');
    await expectAnswer(stage, line("inc"), '"Manager is shutting down"\n');
    expect((await master.ended).status).toBe(0);
  });

  scene("upgrade gives every worker a successor", async (stage) => {
    const master = await served(stage, "-n", "2");
    await stage.status(/2 healthy/);
    await expectAnswer(stage, line("upgrade"), '"Upgrading all children!"\n');
    const [first = 0, second = 0] = await workers(master, 4);
    await waitFor("the first two to be gone", () => !isAlive(first) && !isAlive(second));
    expect(workersOf(master)).toHaveLength(4);
  });

  scene("die stops every worker, and einhyrningsins ends with 0", async (stage) => {
    const master = await served(stage, "-n", "2");
    await expectAnswer(stage, line("die"), '"Sent shutdown to all children!"\n');
    expect((await master.ended).status).toBe(0);
    expect(master.stdout().match(/got SIGUSR2/g)).toHaveLength(2);
  });

  scene("signal takes names with and without SIG, in upper or lower case, and no others", async (stage) => {
    const master = await served(stage);
    for (const [index, name] of ["HUP", "SIGHUP", "hup"].entries()) {
      await expectAnswer(stage, line("signal", name), '"Signalled all children!"\n');
      await waitFor(name, () => (master.stdout().match(/got SIGHUP/g) ?? []).length === index + 1);
    }
    for (const name of ["TTIN", "TTOU", "USR1", "CONT"]) {
      await expectAnswer(stage, line("signal", name), '"Signalled all children!"\n');
      await said(master, `got SIG${name}`);
    }
    for (const wrong of [["NONSENSE"], [], ["QUIT"], ["sigHup"]])
      await expectAnswer(stage, line("signal", ...wrong), `"Missing or unhandled 'signal'"\n`);
    await expectAnswer(stage, '{"command":"signal","args":[9]}\n', `"Missing or unhandled 'signal'"\n`);
    await expectAnswer(stage, line("signal", "KILL"), '"Signalled all children!"\n');
    await waitFor("the worker to be gone", () => !workersOf(master).some((pid) => isAlive(pid)));
  });

  scene("status shows the master's pid, the wanted number of workers, and each worker", async (stage) => {
    const master = await served(stage, "-n", "2");
    const [first = 0, second = 0] = workersOf(master);
    const text: unknown = JSON.parse(await stage.exchange(line("status")));
    expect(text).toMatch(new RegExp(`pid ${master.pid}, running$`, "m"));
    expect(text).toMatch(/^2 wanted: \d healthy, \d infant, 0 shutting down$/m);
    for (const pid of [first, second])
      expect(text).toMatch(new RegExp(`^pid ${pid}: (infant|healthy), up [0-9.]+ s, generation 1`, "m"));
    expect(await stage.status(/2 healthy, 0 infant/)).toContain(`pid ${first}: healthy`);
  });

  scene("status shows which attempt an infant is on", async (stage) => {
    stage.master(["-m", "-r", "9"], "v1");
    expect(await stage.status(/, attempt \d of 9$/m)).toContain("1 wanted: 0 healthy, 1 infant");
  });

  scene("worker:ack is acknowledged for any pid, and refused without a valid one", async (stage) => {
    await served(stage);
    await expectAnswer(stage, '{"command":"worker:ack", "pid":1}\n', '"Acknowledged!"\n');
    await expectAnswer(stage, '{"command":"worker:ack"}\n', `"Missing or unhandled 'pid'"\n`);
    await expectAnswer(stage, '{"command":"worker:ack","pid":"me"}\n', `"Missing or unhandled 'pid'"\n`);
  });
});

describe("a bad line", () => {
  scene("is answered, and the connection stays open", async (stage) => {
    await served(stage);
    const wrong = '"Expected valid JSON!"\n';
    await expectAnswer(stage, `nonsense\n{\n${line("version")}`, `${wrong}${wrong}"einhyrningsinsctl 0.2.0"\n`);
    await expectAnswer(stage, Buffer.from([0xff, 0xfe, 0x0a]), wrong);
    await expectAnswer(stage, "--- !ruby/object:Gem {}\n", wrong);
    const none = `"Missing or unhandled 'command'"\n`;
    await expectAnswer(stage, '[1]\n7\nnull\n"inc"\n{"command":7}\n', none.repeat(5));
    await expectAnswer(stage, '{"command":"__proto__"}\n{"command":"constructor"}\n', none.repeat(2));
    await expectAnswer(stage, `\n\r\n${line("ehlo")}`, '"Hi there!"\n\r');
    await expectAnswer(
      stage,
      `{"command":"version","args":["${"x".repeat(500_000)}"]}\n`,
      '"einhyrningsinsctl 0.2.0"\n',
    );
  });

  scene("that is too long or nests too deep ends its connection and nothing else", async (stage) => {
    const master = await served(stage);
    await stage.exchange("x".repeat(1024 * 1024 + 1));
    await stage.exchange(`${"[".repeat(100_000)}\n`);
    expect(await stage.ctl("version")).toBe("einhyrningsinsctl 0.2.0");
    expect(workersOf(master).every(isAlive)).toBe(true);
  });
});

scene("crankctl works on the same socket", async (stage) => {
  const master = await served(stage, "-n", "2");
  const [first = 0] = workersOf(master);
  const ps = await stage.bench.run([CRANKCTL, "-ctl", stage.socket, "ps"]);
  expect(ps).toMatchObject({ status: 0 });
  expect(ps.stdout).toContain(`${first} `);
  expect(ps.stdout.trim().split("\n")).toHaveLength(2);
  expect((await stage.bench.run([CRANKCTL, "-ctl", stage.socket, "shutdown", "-wait"])).status).toBe(0);
  expect((await master.ended).status).toBe(0);
});
