// Machines and containers with less than usual: address space, stack, standard descriptors, huge pages, memory layout. crank
// runs, or says in one sentence what it needs.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { mountNamespaces, needing } from "../../needs.ts";
import { compiledStatically } from "../harness/apps.ts";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { REFUSE_SYSCALLS } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

/** Words of shell in front of a command. */
const shell = (words: string): readonly string[] => ["bash", "-c", `${words} exec "$@"`, "bash"];

/** crank and crankctl, each with this prefix: a deploy, a request, and the end. */
const lives = async (before: readonly string[]): Promise<void> => {
  const service = new Service({ before, flags: ["-verbose", "-linger", "0"], app: [compiledStatically("worker")] });
  await service.open();
  try {
    const crank = await service.start();
    for (const version of ["one", "two"]) {
      expect(await service.app(version)).toEqual({
        status: 0,
        stdout: expect.stringContaining(" deployed in "),
        stderr: "",
      });
      await service.answers(version, "once\n");
    }
    const shown = await service.ctl("ps");
    expect(shown).toMatchObject({ status: 0, stdout: expect.stringContaining("two"), stderr: "" });
    expect(await service.ctl("shutdown", "-wait")).toMatchObject({ status: 0, stderr: "" });
    expect(await crank.ended).toMatchObject({ status: 0 });
  } finally {
    await service.clean();
  }
};

describe("crank serves", () => {
  test.each([
    ["with 16 MB of address space", "ulimit -v 16000;"],
    // Counted as vm.overcommit_memory=2 counts, for the whole machine: a process's private writable memory.
    ["with 16 MB of data", "ulimit -d 16000;"],
    ["with 512 KiB of stack", "ulimit -s 512;"],
    ["with a stack of 4 GiB", "ulimit -s 4194304;"],
    ["without a limit on the stack, which changes the layout of memory", "ulimit -s unlimited;"],
    ["without random addresses", 'set -- setarch -R "$@";'],
    ["with the layout of memory of old kernels", 'set -- setarch -L "$@";'],
    ["without standard input", "exec <&-;"],
    [
      "with a broken zone, and a language that this machine does not have",
      'set -- env TZ=:/nonexistent LANG=tr_TR LC_ALL=zz_ZZ.latin9 "$@";',
    ],
  ])("%s", (_name, words) => lives(shell(words)));

  test.each([
    ["has no huge pages at all", "EINVAL", "madvise"],
    ["has larger pages than the image was made for", "EINVAL", "mmap-file"],
    ["has the program on a file system that cannot map it for writing", "ENODEV", "mmap-file"],
  ])("where the system %s", (_name, errno, call) => lives([...REFUSE_SYSCALLS, errno, call]));

  needing(mountNamespaces()).describe("where the kernel", () => {
    const over = (place: string, made: string): readonly string[] => {
      const mounts = `mount --bind ${made} ${place};`;
      return ["unshare", "--mount", ...shell(mounts)];
    };
    test("never gives huge pages", async () => {
      const file = web.path("enabled");
      writeFileSync(file, "always madvise [never]\n");
      await lives(over("/sys/kernel/mm/transparent_hugepage/enabled", file));
    });
    test("does not report huge pages", async () => {
      const empty = web.path("empty");
      mkdirSync(empty);
      await lives(over("/sys", empty));
    });
  });
});

needing(mountNamespaces()).describe("without /proc", () => {
  const without = ["unshare", "--mount", ...shell("umount --lazy /proc;")];

  test("crank says that it must be mounted", async () => {
    expect(await web.bench.run([...without, CRANK, ...web.own])).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringMatching(/^crank: [^\n]*\/proc must be mounted\n$/),
    });
  });

  test("crankctl talks to a crank that runs, and says if none runs", async () => {
    expect(await web.bench.run([...without, ...web.ctlCommand("status")])).toMatchObject({
      status: 3,
      stdout: "",
      stderr: expect.stringMatching(
        /^crankctl [a-z]+: couldn't connect: no service "web" \(looked for [^\n]*\)\. No crank runs [^\n]*\n$/,
      ),
    });
    await web.start();
    expect(await web.bench.run([...without, ...web.ctlCommand("status")])).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("the program's file", () => {
  test("has no segment so low that vm.mmap_min_addr may forbid it", () => {
    const bytes = readFileSync(CRANK);
    const table = Number(bytes.readBigUInt64LE(32));
    const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
    const headers = Array.from({ length: count }, (_, index) => table + index * size);
    const segments = headers.filter((at) => bytes.readUInt32LE(at) === LOADED);
    expect(segments.length).toBeGreaterThan(1);
    // At most 65536 on every machine that Linux runs on.
    for (const at of segments) expect(Number(bytes.readBigUInt64LE(at + 16))).toBeGreaterThanOrEqual(65_536);
  });

  test("runs without any argument, not even a name", async () => {
    const unnamed = web.path("unnamed");
    writeFileSync(
      `${unnamed}.c`,
      "#include <unistd.h>\nint main(int n, char **v) { char *none[1] = {0}; (void)n; return execve(v[1], none, none); }\n",
    );
    expect(await web.bench.run([process.env.CC ?? "cc", "-o", unnamed, `${unnamed}.c`])).toMatchObject({ status: 0 });
    const { status, stdout, stderr } = await web.bench.run([unnamed, CRANK]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toStartWith('crank: no command "": call it as one of crank, crankctl,');
  });
});
/** PT_LOAD of elf(5). */
const LOADED = 1;

test("crankctl without standard descriptors does not print into its connection", async () => {
  await web.start("-linger", "60");
  const ctl = web.bench.start([...shell("exec <&- >&- 2>&-;"), ...web.ctlCommand("events")]);
  const target = (place: string): string => {
    try {
      return readlinkSync(`/proc/${ctl.pid}/${place}`);
    } catch {
      return "none"; // closed meanwhile
    }
  };
  // Not the shell's descriptors, which are those of the test.
  const isConnected = (): boolean =>
    target("exe") === CRANK &&
    readdirSync(`/proc/${ctl.pid}/fd`).some((fd) => target(`fd/${fd}`).startsWith("socket:"));
  await waitFor("its connection", isConnected);
  expect(["fd/0", "fd/1", "fd/2"].map(target)).toEqual(["/", "/", "/"]);
});
