// einhorn's line protocol, spoken byte by byte, and by a client in Ruby that uses only the standard library.
import { describe, expect } from "bun:test";
import { join } from "node:path";
import { EINHORN_COMMANDS } from "../../../src/control/dialects/einhorn.ts";
import { ROOT } from "../harness/bench.ts";
import { scene } from "../harness/einhorn.ts";
import { isAlive } from "../harness/processes.ts";

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

  scene("answers invalid requests, and continues", async (stage) => {
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

  scene("ends the workers by the signal that die names, and refuses an unknown signal", async (stage) => {
    const master = stage.master([]);
    const [pid = 0] = await stage.ready(1);
    expect(await stage.sh("die NOSUCH")).toBe('Invalid signal: "NOSUCH"');
    expect(await stage.sh("dec")).toContain("At least 1 worker");
    expect(await stage.sh("die TERM")).toStartWith("Einhorn is going down!");
    expect((await master.ended).status).toBe(0);
    await master.wrote("stdout", `${pid} got SIGTERM`);
  });

  scene(
    "is understood by Ruby: state has symbols, sets and times, and worker:ping shows in it",
    async (stage) => {
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
    },
    ["ruby"],
  );

  scene("greets, and lists its commands", async (stage) => {
    const master = stage.master([]);
    await stage.ready(1);
    expect(await stage.exchange('{"command":"ehlo","args":[],"user":"me"}\n')).toBe(
      `---%0Amessage: Welcome me! You are speaking to the einhorn master process ${master.pid}%0A\n`,
    );
    const help = await stage.sh("help");
    for (const command of Object.keys(EINHORN_COMMANDS)) expect(help).toMatch(new RegExp(`^${command} +\\S`, "m"));
  });

  scene("changes the number, the verbosity and the config", async (stage) => {
    stage.master([]);
    await stage.ready(1);
    expect(await stage.sh("set_workers 3")).toBe("Incrementing number of workers from 1 -> 3");
    await stage.ready(3);
    expect(await stage.sh("config {number: 1, verbosity: 2}")).toContain("3 -> 1; Verbosity set to 2");
    await stage.ready(1);
    expect(await stage.sh("config {cmd: x}")).toContain('"cmd" cannot be changed');
  });

  scene("accepts crankctl and READY=1", async (stage) => {
    stage.start(["-m", "manual", "python3", join(ROOT, "examples/workers/worker.py")]);
    await stage.ready(1);
    const ps = await stage.bench.run([join(ROOT, "bin/crankctl"), "-ctl", stage.socket, "ps"]);
    expect(ps.stdout).toContain("READY");
  });
});
