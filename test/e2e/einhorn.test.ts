// einhorn and einhornsh from outside: command line, files, readiness, respawning, upgrades, signals and the line protocol,
// spoken byte for byte and by a client in Ruby that has the standard library only.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Bench, isAlive, ROOT, type Running, waitFor } from "./harness/service.ts";

const EINHORN = join(ROOT, "bin/einhorn");
const EINHORNSH = join(ROOT, "bin/einhornsh");
const WORKER = join(ROOT, "test/apps/einhorn_worker.py");

class Stage {
  readonly bench = new Bench();
  readonly socket = join(this.bench.directory, "einhorn.sock");
  readonly #environment = { TMPDIR: this.bench.directory };

  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    return this.bench.start([EINHORN, ...args], { env: { ...this.#environment, ...environment } });
  }

  /** The Python worker, which acknowledges. */
  master(flags: readonly string[], version = "v1", ...habits: readonly string[]): Running {
    const worker = ["python3", WORKER, version, "ack", ...habits];
    return this.start(["-m", "manual", "-s", "0.1", "-b", "127.0.0.1:0", ...flags, ...worker]);
  }

  async sh(commands: string): Promise<string> {
    return (await this.bench.run([EINHORNSH, "-d", this.socket, "-e", commands])).stdout.trimEnd();
  }

  async state(pattern: RegExp): Promise<string> {
    return waitFor(`${pattern} in state`, async () => {
      const text = existsSync(this.socket) ? await this.sh("state") : "";
      return pattern.test(text) && text;
    });
  }

  /** So many workers are ready, and no others are there. */
  ready(count: number): Promise<number[]> {
    return waitFor(`${count} ready workers`, async () => {
      const text = existsSync(this.socket) ? await this.sh("state") : "";
      const pids = [...text.matchAll(/^ {4}(\d+):$/gm)].map((match) => Number(match[1]));
      return pids.length === count && (text.match(/:acked: true/g)?.length ?? 0) === count && pids;
    });
  }

  /** Sends bytes and gives what comes back until a newline, or the end. */
  exchange(bytes: string | Uint8Array): Promise<string> {
    return new Promise((resolve, reject) => {
      let got = "";
      const client = connect(this.socket, () => client.write(bytes));
      client.setEncoding("latin1");
      client.on("data", (part: string) => {
        got += part;
        if (got.endsWith("\n")) client.destroy();
      });
      client.on("close", () => resolve(got)).on("error", reject);
    });
  }
}

const scene = (name: string, play: (stage: Stage) => Promise<void>): void =>
  test(name, async () => {
    const stage = new Stage();
    try {
      await play(stage);
    } finally {
      await stage.bench.clean();
    }
  }, 120_000);

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
    ["-b nobody true", 1, "wants ADDR:PORT"],
    ["-b no.such.host.invalid:80 true", 1, "no.such.host.invalid"],
    ["-p app.rb true", 1, "--preload is not possible"],
    ["-g true", 1, "--command-socket-as-fd is not possible"],
    ["--reexec-as wrap true", 1, "--reexec-as is not possible"],
    ["--nice 20 true", 1, "nice level"],
    ["--frobnicate true", 1, "frobnicate"],
  ] as const)
    scene(`is answered with a sentence: ${words}`, async (stage) => {
      const ended = await stage.start(words.split(" ")).ended;
      expect(ended.status).toBe(status);
      expect(ended.stderr).toContain(sentence);
    });

  scene("--upgrade-check ends with 0, and --version says which", async ({ bench }) => {
    expect((await bench.run([EINHORN, "--upgrade-check", "--", "true"])).status).toBe(0);
    expect((await bench.run([EINHORN, "--version"])).stdout).toStartWith("einhorn 1.1.1 (crank ");
  });
});

describe("the files", () => {
  scene("are named after -c, and all but the lock file go with the master", async (stage) => {
    const master = stage.start(["-c", "blue", "-m", "0", "sleep", "600"]);
    const path = (suffix: string): string => join(stage.bench.directory, `einhorn-blue.${suffix}`);
    await waitFor("the pid file", () => existsSync(path("pid")));
    expect(readFileSync(path("pid"), "utf8")).toBe(String(master.pid));
    const second = await stage.start(["-c", "blue", "true"]).ended;
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(`-d ${path("sock")}`);
    expect(readFileSync(path("pid"), "utf8")).toBe(String(master.pid));
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
    expect([existsSync(path("pid")), existsSync(path("sock")), existsSync(path("lock"))]).toEqual([false, false, true]);
  });

  scene("a file that is no socket is not removed", async (stage) => {
    writeFileSync(stage.socket, "precious");
    expect((await stage.start(["true"]).ended).status).toBe(1);
    expect(readFileSync(stage.socket, "utf8")).toBe("precious");
  });
});

describe("workers", () => {
  scene("get their environment, a group of their own, and are ready by worker:ack", async (stage) => {
    const master = stage.master(["-n", "2", "-b", "127.0.0.1:0,n,zz"], "v1", "environment");
    const pids = await stage.ready(2);
    const environments = [...master.stdout().matchAll(/^\{.*\}$/gm)].map(([json]) => JSON.parse(json));
    expect(environments.map((each) => each.EINHORN_CHILD_INDEX).sort()).toEqual(["0", "1"]);
    for (const each of environments) {
      expect(each).toMatchObject({
        EINHORN_FD_COUNT: "2",
        EINHORN_FD_0: "3",
        EINHORN_FD_1: "4",
        EINHORN_MASTER_PID: String(master.pid),
        EINHORN_SOCK_PATH: stage.socket,
      });
    }
    for (const pid of pids) expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[4]).toBe(String(pid));
    expect(master.stderr()).toContain("zz means nothing");
  });

  scene("in Ruby and shell work too", async (stage) => {
    stage.start(["-m", "manual", "-b", "127.0.0.1:0", "ruby", join(ROOT, "test/apps/einhorn_worker.rb"), "v1"]);
    // Its answer is waited for by the Ruby worker, and the connection ends without one.
    await stage.state(/:acked: true/);
    const other = new Stage();
    try {
      other.start(["-m", "0.05", "sh", "-c", "exec sleep 600"]);
      await other.ready(1);
    } finally {
      await other.bench.clean();
    }
  });

  scene("that die are started again, in the place that is free, also before they are ready", async (stage) => {
    const flag = join(stage.bench.directory, "flag");
    stage.master(["-n", "2"], "v1", `dies=${flag}`);
    const [first = 0, second = 0] = await stage.ready(2);
    writeFileSync(flag, "");
    process.kill(first, "SIGKILL");
    await stage.state(/:consecutive_deaths_before_ack: [2-9]/);
    await stage.bench.run(["rm", flag]);
    expect(await stage.ready(2)).toContain(second);
    expect((await stage.sh("state")).match(/:index: [01]$/gm)?.sort()).toEqual([":index: 0", ":index: 1"]);
  });

  scene("get SIGUSR2 when the master is killed, with -k", async (stage) => {
    const master = stage.master(["-k"]);
    const [pid = 0] = await stage.ready(1);
    master.signal("SIGKILL");
    await waitFor("the worker's word", () => master.stdout().includes(`${pid} got SIGUSR2`));
    await waitFor("the worker's end", () => !isAlive(pid));
  });
});

describe("an upgrade", () => {
  for (const [command, first] of [
    ["upgrade", "Upgrading smoothly, as commanded"],
    ["upgrade_fleet", "Upgrading fleet, as commanded"],
  ] as const)
    scene(`by ${command} replaces all workers and tells how it goes`, async (stage) => {
      const master = stage.master(["-n", "2"]);
      const before = await stage.ready(2);
      const lines = (await stage.sh(command)).split("\n");
      expect([lines[0], lines.at(-1)]).toEqual([first, "Upgrade done"]);
      await waitFor("the end of the old", () => before.every((pid) => !isAlive(pid)));
      const after = await stage.ready(2);
      expect(after.some((pid) => before.includes(pid))).toBe(false);
      for (const pid of before) expect(master.stdout()).toContain(`${pid} got SIGUSR2`);
    });

  scene("takes what --drop-env-var names out of the environment of later workers", async (stage) => {
    const args = ["-m", "manual", "--drop-env-var", "TEST_SECRET", "python3", WORKER, "v1", "ack", "environment"];
    const master = stage.start(args, { TEST_SECRET: "x" });
    await stage.ready(1);
    master.signal("SIGHUP");
    await waitFor("two environments", () => master.stdout().match(/^\{.*\}$/gm)?.length === 2);
    const [first, second] = [...master.stdout().matchAll(/^\{.*\}$/gm)].map(([json]) => JSON.parse(json));
    expect([first.TEST_SECRET, second.TEST_SECRET]).toEqual(["x", undefined]);
  });
});

describe("a signal", () => {
  for (const [signal, passed, status] of [
    ["SIGINT", "SIGUSR2", 0],
    ["SIGUSR2", "SIGUSR2", 0],
    ["SIGTERM", "SIGTERM", 0],
    ["SIGQUIT", "SIGQUIT", 1],
  ] as const)
    scene(`${signal} ends the master with ${status}, and its workers by ${passed}`, async (stage) => {
      const master = stage.master([]);
      const [pid = 0] = await stage.ready(1);
      master.signal(signal);
      expect((await master.ended).status).toBe(status);
      await waitFor("the worker's word", () => master.stdout().includes(`${pid} got ${passed}`));
      await waitFor("the worker's end", () => !isAlive(pid));
    });

  scene("is followed by SIGKILL after the time of -t", async (stage) => {
    const master = stage.master(["-t", "0.2"], "v1", "deaf");
    const [pid = 0] = await stage.ready(1);
    expect(await stage.sh("die")).toBe("Einhorn is going down! ".trimEnd());
    expect((await master.ended).status).toBe(0);
    expect(isAlive(pid)).toBe(false);
    expect(master.stdout()).toContain(`${pid} got SIGUSR2`);
  });
});

describe("the protocol", () => {
  scene("takes YAML and JSON, and answers in YAML", async (stage) => {
    stage.master([]);
    await stage.ready(1);
    for (const [line, answer] of [
      [
        '---%0Acommand: inc%0Aargs: []%0Aid: "7"%0A',
        '---%0Amessage: "Incrementing number of workers from 1 -> 2"%0Arequest_id: "7"%0A',
      ],
      ["--- %0Acommand: dec%0Aargs: []%0A", '---%0Amessage: "Decrementing number of workers from 2 -> 1"%0A'],
      ['{"command":"quieter"}', "---%0Amessage: Verbosity set to 2%0A"],
      ['{"command":"louder","id":3}', "---%0Amessage: Verbosity set to 1%0Arequest_id: 3%0A"],
    ])
      expect(await stage.exchange(`${line}\n`)).toBe(`${answer}\n`);
    expect(await stage.exchange('{"command":"die"}\n')).toBe("---%0Amessage: No args provided%0A\n");
    expect(await stage.exchange('{"command":"signal","args":["HUP"]}\n')).toBe('---%0Amessage: ""%0A\n');
    const unknown = await stage.exchange('{"command":"100%25"}\n');
    expect(unknown).toStartWith('---%0Amessage: "Unrecognized command: \\"100%25\\"');
  });

  scene("answers what is no request, and goes on", async (stage) => {
    const master = stage.master([]);
    const [pid] = await stage.ready(1);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]${"bcdefgh".replace(/./g, (name, at) => `%0A${name}: &${name} [${`*${"abcdefg"[at]},`.repeat(8)}*${"abcdefg"[at]}]`)}`;
    for (const line of ["[1, 2]\n", "--- !ruby/object:Object {}%0A\n", `${bomb}\n`, "hello\n", "\n"])
      expect(await stage.exchange(line)).toBe("---%0Amessage: Could not parse command%0A\n");
    expect(await stage.exchange(Buffer.from([0xff, 0xfe, 0x0a]))).toContain("Could not parse command");
    await stage.exchange(`${"x".repeat(1024 * 1024 + 10)}\n`).catch(() => "");
    for (const words of ["set_workers 0", "set_workers 1001", "set_workers many"])
      expect(await stage.sh(words)).toContain("Invalid number of workers");
    expect(await stage.sh("signal HUP NOSUCH")).toBe('Invalid signal: "NOSUCH"');
    expect(await stage.ready(1)).toEqual([pid ?? 0]);
    expect(isAlive(master.pid)).toBe(true);
  });

  scene("is understood by Ruby: state has symbols, sets and times, and worker:ping shows in it", async (stage) => {
    stage.master([]);
    const [pid = 0] = await stage.ready(1);
    expect(await stage.exchange(`${JSON.stringify({ command: "worker:ping", pid, request_id: "r1" })}\n`)).toBe("");
    await stage.sh("signal CONT");
    const client = `
      require "socket"; require "yaml"; require "set"
      socket = UNIXSocket.new(ARGV[0])
      request = YAML.dump({"command" => "state", "args" => [], "id" => "1"})
      socket.write(request.gsub(/%|\\n/, "%" => "%25", "\\n" => "%0A") + "\\n")
      answer = YAML.safe_load(socket.gets.gsub(/%(25|0A)/, "%25" => "%", "%0A" => "\\n"))
      state = YAML.safe_load(answer["message"], permitted_classes: [Symbol, Set, Time])[:state]
      child = state[:children][Integer(ARGV[1])]
      puts [answer["request_id"], child[:type].inspect, child[:acked], child[:signaled].inspect, child[:spinup_time].class,
            child[:last_signaled_at].class, child[:pinged_at].class, child[:pinged_request_id], state[:config][:number],
            state[:ack_mode], state[:bound_ports].size].join(" ")`;
    const said = await stage.bench.run(["ruby", "-e", client, stage.socket, String(pid)]);
    expect(said.stderr).toBe("");
    expect(said.stdout).toMatch(/^1 :worker true #<Set: \{"CONT"\}> Time Time Time r1 1 \{:type=>:manual\} 1\n$/);
  });

  scene("changes the number, the verbosity and the config", async (stage) => {
    stage.master([]);
    await stage.ready(1);
    expect(await stage.sh("set_workers 3")).toBe("Incrementing number of workers from 1 -> 3");
    await stage.ready(3);
    expect(await stage.sh("config {number: 1, verbosity: 2}")).toContain("3 -> 1; Verbosity set to 2");
    await stage.ready(1);
    expect(await stage.sh("config {cmd: x}")).toContain('"cmd" cannot be changed');
    expect(await stage.sh("reload")).toContain("Not reloaded");
  });

  scene("leaves room for crankctl and for READY=1", async (stage) => {
    stage.start(["-m", "manual", "python3", join(ROOT, "examples/workers/worker.py")]);
    await stage.ready(1);
    const ps = await stage.bench.run([join(ROOT, "bin/crankctl"), "-ctl", stage.socket, "ps"]);
    expect(ps.stdout).toContain("READY");
  });
});

describe("einhornsh", () => {
  scene("without a master gives a hint, and with -h its options, both with status 1", async ({ bench, socket }) => {
    const ended = await bench.run([EINHORNSH, "-d", socket]);
    expect([ended.status, ended.stderr.includes("-d")]).toEqual([1, true]);
    expect((await bench.run([EINHORNSH, "-h"])).status).toBe(1);
  });

  scene("is a shell, and finds the master by -c", async (stage) => {
    stage.start(["-c", "red", "-m", "0", "sleep", "600"]);
    await waitFor("the socket", () => existsSync(join(stage.bench.directory, "einhorn-red.sock")));
    const shell = stage.bench.start([EINHORNSH, "red"], { stdin: "pipe", env: { TMPDIR: stage.bench.directory } });
    shell.write("louder\nquit\n");
    const ended = await shell.ended;
    expect(ended.status).toBe(0);
    expect(ended.stdout).toContain("Verbosity set to 0");
    expect(ended.stderr).toBe("");
  });
});
