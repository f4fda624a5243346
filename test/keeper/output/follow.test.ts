// The keeper's output thread from outside: what followers get.
import { expect, test } from "bun:test";
import { bytesOf } from "./driver.ts";
import {
  add,
  finish,
  linesIn,
  type Notification,
  numbered,
  numberedLines,
  runAll,
  takeUntil,
  withEachBuild,
} from "./stage.ts";

withEachBuild("worker output: followers", (stage) => {
  test("a follower gets the requested last lines, of one worker or of all, and an end marker", async () => {
    const harness = stage().start();
    await finish(harness, 1, await add(harness, 1, "for i in 1 2 3 4 5; do echo one $i; done"));
    await finish(harness, 2, await add(harness, 2, "echo two 1"));
    harness.send("follow", 11, 0, 3, 0);
    const all = await takeUntil(harness, 11, (got) => got.some(({ method }) => method === "logEnd"));
    expect(linesIn(all.notifications)).toEqual(["one 4", "one 5", "two 1"]);
    harness.send("follow", 12, 1, 2, 0);
    const one = await takeUntil(harness, 12, (got) => got.some(({ method }) => method === "logEnd"));
    expect(linesIn(one.notifications)).toEqual(["one 4", "one 5"]);
    expect(one.notifications[0]).toMatchObject({ jsonrpc: "2.0", method: "log", params: { worker: 1 } });
    harness.send("follow", 13, 9, 10, 0);
    const none = await takeUntil(harness, 13, (got) => got.length > 0);
    expect(none.notifications).toEqual([{ jsonrpc: "2.0", method: "logEnd", params: {} } as unknown as Notification]);
    await stage().end(harness);
  });

  test("a follower that does not read loses whole lines, which are counted; the rest stays in order", async () => {
    const harness = stage().start();
    harness.send("follow", 21, 0, 0, 1);
    await runAll(harness, [numbered("f", 30_000)], () => "");
    const { notifications, dropped } = await takeUntil(harness, 21, (got) => got.length > 1000);
    harness.send("take", 21, 500_000);
    const taken = await harness.reply("taken");
    const rest = bytesOf(taken).toString("utf8").split("\n").slice(0, -1);
    const lines = [...linesIn(notifications), ...rest.map((line) => (JSON.parse(line) as Notification).params.line)];
    expect(lines).toEqual([...numberedLines("f", 30_000).slice(0, lines.length)]);
    expect(dropped + Number(taken[2])).toBeGreaterThan(0);
    harness.send("unfollow", 21);
    await stage().end(harness);
  });

  test("a follower that reads gets every later line", async () => {
    const harness = stage().start();
    harness.send("follow", 31, 0, 0, 1);
    const pid = await add(harness, 1, "for i in 1 2 3; do echo $i; done; sleep 0.05; echo 4");
    const { notifications, dropped } = await takeUntil(harness, 31, (got) => got.length >= 4);
    expect(linesIn(notifications)).toEqual(["1", "2", "3", "4"]);
    expect(dropped).toBe(0);
    await finish(harness, 1, pid);
    await stage().end(harness);
  });
});
