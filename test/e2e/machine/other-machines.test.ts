// crank for other machines, built by `make cross MACHINE=aarch64`, under qemu's user emulation, which has neither
// execveat(2) nor subreapers: crank is the first process of a container here, and does what it does on kernels without the
// call.
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { compiledBy } from "../harness/apps.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

/** The e_machine of elf(5). */
const MACHINES = { aarch64: 0xb7, riscv64: 0xf3 } as const;
type Machine = keyof typeof MACHINES;

const web = eachTest(new Service());

/** In a user namespace whose kernel hands programs of that machine to qemu (binfmt_misc, since Linux 6.7). */
const emulating = (machine: Machine, flags: readonly string[] = []): readonly string[] => {
  const byte = (value: number): string => `\\x${value.toString(16).padStart(2, "0")}`;
  const magic = `\\x7fELF\\x02\\x01\\x01${byte(0).repeat(9)}\\x02\\x00${byte(MACHINES[machine])}\\x00`;
  const mask = `${byte(0xff).repeat(7)}\\x00${byte(0xff).repeat(8)}\\xfe${byte(0xff).repeat(3)}`;
  const place = "/proc/sys/fs/binfmt_misc";
  const rule = `:${machine}:M::${magic}:${mask}:$(command -v qemu-${machine}):FPO`;
  const line = `mount -t binfmt_misc none ${place} && echo "${rule.replaceAll("\\", "\\\\")}" > ${place}/register && exec "$@"`;
  return ["unshare", "--user", "--map-root-user", "--mount", ...flags, "bash", "-c", line, "bash"];
};

describe.each(["aarch64", "riscv64"] as const)("on %s", (machine) => {
  const bin = join(ROOT, "build/cross", machine, "bin");
  const canEmulate = Bun.spawnSync([...emulating(machine), "true"]).success;

  test.skipIf(!existsSync(join(bin, "crank")) || !canEmulate)(
    "crank deploys, lists, wakes up and ends (make cross)",
    async () => {
      const worker = compiledBy(`${machine}-linux-gnu-gcc`, "worker", ["-static"], `-${machine}`);
      const ctl = (...words: readonly string[]) =>
        web.bench.run([...emulating(machine), join(bin, "crankctl"), ...web.own, ...words]);
      const first = emulating(machine, ["--pid", "--fork", "--kill-child", "--mount-proc"]);
      const crank = await web.launch([
        ...first,
        join(bin, "crank"),
        ...web.own,
        "-bind",
        "127.0.0.1:0",
        "-linger",
        "0",
      ]);
      for (const version of ["one", "two"]) {
        expect(await ctl("run", "-wait", "--", worker, version)).toMatchObject({ status: 0, stderr: "" });
        await web.answers(version, "once\n");
      }
      expect(await ctl("ps")).toMatchObject({ status: 0, stdout: expect.stringContaining("two]"), stderr: "" });
      expect(await ctl("shutdown", "-wait")).toMatchObject({ status: 0, stderr: "" });
      expect(await crank.ended).toMatchObject({ status: 0 });
    },
    120_000,
  );
});
