// New supervisors that pass the check and then fail to take over: the old one goes on.
import { describe, expect, test } from "bun:test";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { installRuntime } from "../harness/installation.ts";
import { Refusing } from "./refused.ts";

const service = eachTest(new Refusing());

/** The frame `present` (docs/reference/keeper-protocol.md), on the channel. */
const PRESENT = "printf '\\001\\000\\000\\000\\004' >&3";

describe("an upgrade whose supervisor", () => {
  test("ends before it has reported is refused", async () => {
    const ends = installRuntime(service.path("ends"), "exit 3");
    await service.expectRefusal(
      ends,
      "its check succeeded, but its supervisor exited with status 3 before it reported",
    );
    const killed = installRuntime(service.path("killed"), "kill -KILL $$");
    await service.expectRefusal(killed, "but its supervisor was killed by SIGKILL before it reported");
    await service.expectUpgrade();
  });

  test("does not report is refused after a while", async () => {
    const hangs = installRuntime(service.path("hangs"), "exec sleep 600");
    await service.expectRefusal(hangs, "its supervisor did not report within 10 s");
    await service.expectUpgrade();
  });

  test("sends nonsense is refused", async () => {
    const talks = installRuntime(service.path("talks"), "echo good morning to you all >&3; exec sleep 600");
    await service.expectRefusal(talks, "before it reported");
  });

  test("reports and ends at once is undone", async () => {
    const comes = installRuntime(service.path("comes"), `${PRESENT}; exit 4`);
    // Its report and its end come at the same moment, and either may be seen first.
    await service.expectRefusal(comes, "its supervisor exited with status 4 before it ");
    expect(await service.run(...RESPONDER, "two")).toMatchObject({ status: 0 });
    await service.answers("two");
  });

  test("reports, receives the state and ends is undone", async () => {
    const hears = installRuntime(service.path("hears"), `${PRESENT}; dd bs=1 count=64 <&3 >/dev/null 2>&1; exit 5`);
    await service.expectRefusal(hears, "its supervisor exited with status 5 before it had taken over");
    await service.expectUpgrade();
  });
});
