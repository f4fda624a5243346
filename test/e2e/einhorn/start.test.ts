// einhorn from outside: its command line, its files, its process title, and its shell.
import { describe, expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { EINHORN, EINHORNSH, scene, titleOf } from "../harness/einhorn.ts";
import { waitFor } from "../harness/wait.ts";

describe("the command line", () => {
  scene("without a program shows the usage, with status 1", async ({ bench }) => {
    const ended = await bench.run([EINHORN]);
    expect(ended.status).toBe(1);
    expect(ended.stdout).toStartWith("## Usage\n");
  });

  for (const [words, status, sentence] of [
    ["-n 0 true", 0, "-n 0"],
    ["-n x true", 1, "-n must be"],
    ["-n 1001 true", 1, "-n must be"],
    ["-m soon true", 1, "-m must be"],
    ["-s -1 true", 1, "-s must be"],
    ["-b 127.0.0.1:65536 true", 1, "65536"],
    ["-b nobody true", 1, "must be ADDR:PORT"],
    ["-b no.such.host.invalid:80 true", 1, "no.such.host.invalid"],
    ["-p app.rb true", 1, "--preload is not possible"],
    ["--reexec-as 'wrap true", 1, "unclosed quote"],
    ["--reexec-timeout soon true", 1, "--reexec-timeout must be"],
    ["--nice 20 true", 1, "nice level"],
    ["--nice 1:x:renice true", 1, "nice level"],
    ["-t soon true", 1, "-t must be"],
    ["-l 0 true", 1, "-l must be"],
    ["--max-unacked 0 true", 1, "--max-unacked must be"],
    ["--max-upgrade-additional none true", 1, "--max-upgrade-additional must be"],
    ["--with-state-fd 3 true", 1, "--with-state-fd is not allowed on a command line"],
    ["--frobnicate true", 1, "frobnicate"],
  ] as const)
    scene(`is answered with a sentence: ${words}`, async (stage) => {
      const ended = await stage.start(words.split(" ")).ended;
      expect(ended.status).toBe(status);
      expect(ended.stderr).toContain(sentence);
    });

  scene("takes long names, letters in clusters, and --gc-before-fork", async (stage) => {
    const long = ["--number=2", "--ack-mode", "0", "--gc-before-fork", "--socket-path", stage.socket];
    stage.start([...long, "-qvs0.1", "--", "sleep", "600"]);
    await stage.ready(2);
    expect(await stage.sh("state")).toContain(":seconds: 0.1");
  });

  scene("--upgrade-check ends with 0, and --version prints the version", async ({ bench }) => {
    expect((await bench.run([EINHORN, "--upgrade-check", "--", "true"])).status).toBe(0);
    expect((await bench.run([EINHORN, "--version"])).stdout).toStartWith("einhorn 1.1.1 (crank ");
  });
});

describe("the log", () => {
  scene("is on standard error, says less with -q and more with -v", async (stage) => {
    const master = stage.start(["-m", "0", "sleep", "600"]);
    await stage.ready(1);
    await master.wrote("stderr", new RegExp(`^\\[MASTER ${master.pid}\\] INFO: Started worker 1`, "m"));
    expect(master.stderr()).not.toContain("DEBUG");
    for (const [flag, mark] of [
      ["-v", "DEBUG: Starting worker 1"],
      ["-q", "ERROR: Worker 1"],
    ] as const) {
      const [socket, pid, lock] = ["s", "p", "l"].map((name) => stage.path(`${name}${flag}`));
      const files = ["-d", socket ?? "", "-e", pid ?? "", "-f", lock ?? ""];
      // The worker ends too early: an error.
      const other = stage.start([flag, ...files, "-m", "60", "-s", "60", "true"]);
      await waitFor(`${mark} in the log`, () => other.stderr().includes(`[MASTER ${other.pid}] ${mark}`));
      if (flag === "-v") await other.wrote("stderr", "INFO");
      else expect(other.stderr()).not.toContain("INFO");
    }
  });
});

describe("the files", () => {
  scene("are named after -c, and all but the lock file are removed with the master", async (stage) => {
    const master = stage.start(["-c", "blue", "-m", "0", "sleep", "600"]);
    const path = (suffix: string): string => stage.path(`einhorn-blue.${suffix}`);
    await waitFor(
      "the pid file",
      () => existsSync(path("pid")) && readFileSync(path("pid"), "utf8") === String(master.pid),
    );
    const second = await stage.start(["-c", "blue", "true"]).ended;
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(`-d ${path("sock")}`);
    expect(readFileSync(path("pid"), "utf8")).toBe(String(master.pid));
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
    expect([existsSync(path("pid")), existsSync(path("sock")), existsSync(path("lock"))]).toEqual([false, false, true]);
  });

  scene("that a dead master left are replaced", async (stage) => {
    await stage.bench.run(["python3", "-c", `import socket; socket.socket(socket.AF_UNIX).bind("${stage.socket}")`]);
    writeFileSync(stage.path("einhorn.pid"), "1");
    const master = stage.start(["-m", "0", "sleep", "600"]);
    await stage.ready(1);
    expect(readFileSync(stage.path("einhorn.pid"), "utf8")).toBe(String(master.pid));
  });

  scene("that are not sockets are not removed", async (stage) => {
    writeFileSync(stage.socket, "precious");
    expect((await stage.start(["true"]).ended).status).toBe(1);
    expect(readFileSync(stage.socket, "utf8")).toBe("precious");
  });

  scene("are where -d, -e and -f say", async (stage) => {
    const [control, pid, lock] = [stage.path("c"), stage.path("p"), stage.path("l")];
    const master = stage.start(["-d", control, "-e", pid, "-f", lock, "-m", "0", "sleep", "600"]);
    await waitFor("the pid file", () => existsSync(pid) && readFileSync(pid, "utf8") === String(master.pid));
    await master.wrote("stderr", "Started worker");
    expect([existsSync(control), existsSync(lock)]).toEqual([true, true]);
  });
});

describe("the process title", () => {
  scene("is the command after einhorn:", async (stage) => {
    const master = stage.start(["-m", "0", "--", "sleep", "600"]);
    await stage.ready(1);
    expect(titleOf(master.pid)).toBe("einhorn: sleep 600");
  });

  scene("is the name with -c", async (stage) => {
    const master = stage.start(["-c", "red", "-m", "0", "sleep", "600"]);
    await waitFor("the title", () => titleOf(master.pid) === "einhorn: ruby red");
  });

  scene("stays within its memory area, and does not change what workers get", async (stage) => {
    const words = "x".repeat(20_000);
    const master = stage.start(
      ["-m", "0", "-c", "y".repeat(200), "-d", stage.socket, "sh", "-c", `echo $1 $X; exec sleep 600`, "sh", words],
      { X: "kept" },
    );
    await master.wrote("stdout", `${words} kept\n`);
    expect(titleOf(master.pid)).toBe(`einhorn: ruby ${"y".repeat(200)}`);
  });
});

describe("einhornsh", () => {
  scene("without a master gives a hint, and with -h its options, both with status 1", async ({ bench, socket }) => {
    const ended = await bench.run([EINHORNSH, "-d", socket]);
    expect([ended.status, ended.stderr.includes("-d")]).toEqual([1, true]);
    expect((await bench.run([EINHORNSH, "-h"])).status).toBe(1);
  });

  scene("takes several commands", async (stage) => {
    stage.start(["-m", "0", "sleep", "600"]);
    await stage.ready(1);
    expect(await stage.sh("louder; quieter")).toMatch(/^Verbosity set to 0\n+Verbosity set to 1$/);
  });

  scene("greets only on a terminal", async (stage) => {
    const master = stage.start(["-m", "0", "sleep", "600"]);
    await stage.ready(1);
    const shell = `echo exit | USER=me script -qec '${EINHORNSH} -d ${stage.socket}' /dev/null`;
    const ended = await stage.bench.run(["sh", "-c", shell]);
    expect(ended.stdout).toContain(`You are speaking to the einhorn master process ${master.pid}`);
    const piped = await stage.bench.run(["sh", "-c", `echo exit | ${EINHORNSH} -d ${stage.socket}`]);
    expect([piped.stdout.includes("You are speaking"), piped.stderr]).toEqual([false, ""]);
  });

  scene("is a shell, and finds the master by -c", async (stage) => {
    const master = stage.start(["-c", "red", "-m", "0", "sleep", "600"]);
    await master.wrote("stderr", "Started worker");
    const shell = stage.bench.start([EINHORNSH, "red"], { stdin: "pipe", env: { TMPDIR: stage.bench.directory } });
    shell.write("louder\nquit\n");
    const ended = await shell.ended;
    expect(ended.status).toBe(0);
    expect(ended.stdout).toContain("Verbosity set to 0");
    expect(ended.stderr).toBe("");
  });
});
