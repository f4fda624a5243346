// crank -syslog: everything that is said goes to /dev/log, and nothing to standard output.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { mountNamespaces, needing } from "../needs.ts";
import { Bench, CRANK, waitFor } from "./harness/service.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const SYSLOGD = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True: print(s.recv(9999).decode(), flush=True)`;

needing(mountNamespaces()).test("with -syslog workers' lines and crank's own are datagrams at /dev/log", async () => {
  const dev = join(bench.directory, "dev");
  await bench.run(["sh", "-c", `mkdir ${dev} && cp -a /dev/null /dev/zero /dev/urandom ${dev}`]);
  const syslogd = bench.start(["python3", "-c", SYSLOGD, join(dev, "log")]);
  await waitFor("syslogd", () => syslogd.stdout().includes("bound"));
  // In a mount namespace of its own, so that the machine's /dev stays what it is.
  const inside = `mount --bind ${dev} /dev && exec "$@"`;
  const args = ["-prefix", bench.directory, "-name", "web", "-bind", "127.0.0.1:0", "-syslog"];
  const crank = bench.start(["unshare", "-m", "sh", "-c", inside, "sh", CRANK, ...args]);
  const mark = `^<30>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d crank\\[${crank.pid}\\]: `;
  await waitFor("crank's own line", () => new RegExp(`${mark}Listening on tcp://`, "m").test(syslogd.stdout()));
  await bench.ctl("web", "run", "--", "sh", "-c", "echo a worker says; exec sleep 600");
  await waitFor("the worker's", () => new RegExp(`${mark}id=1 pid=\\d+ a worker says$`, "m").test(syslogd.stdout()));
  expect([crank.stdout(), crank.stderr()]).toEqual(["", ""]);
});

test("-syslog carries no JSON, and says so", async () => {
  const ended = await bench.run([CRANK, "-name", "web", "-bind", "127.0.0.1:0", "-syslog", "-log-format", "json"]);
  expect([ended.status, ended.stderr]).toEqual([
    2,
    expect.stringContaining("-syslog carries text; leave out -log-format json"),
  ]);
});
