// crank -syslog: all output goes to /dev/log, and nothing to standard output.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { mountNamespaces, needing } from "../../needs.ts";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

const SYSLOGD = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True: print(s.recv(9999).decode(), flush=True)`;

needing(mountNamespaces()).test("with -syslog workers' lines and crank's own are datagrams at /dev/log", async () => {
  const dev = web.path("dev");
  await web.bench.run(["sh", "-c", `mkdir ${dev} && cp -a /dev/null /dev/zero /dev/urandom ${dev}`]);
  const syslogd = web.bench.start(["python3", "-c", SYSLOGD, join(dev, "log")]);
  await syslogd.wrote("stdout", "bound");
  // In a mount namespace of its own, so that the machine's /dev stays what it is.
  const inside = `mount --bind ${dev} /dev && exec "$@"`;
  const crank = web.bench.start(["unshare", "-m", "sh", "-c", inside, "sh", ...web.crankCommand("-syslog")]);
  const mark = `^<30>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d crank\\[${crank.pid}\\]: `;
  await waitFor("crank's own line", () => new RegExp(`${mark}Listening on tcp://`, "m").test(syslogd.stdout()));
  await web.ctl("run", "--", "sh", "-c", "echo a worker says; exec sleep 600");
  await waitFor("the worker's", () => new RegExp(`${mark}id=1 pid=\\d+ a worker says$`, "m").test(syslogd.stdout()));
  expect([crank.stdout(), crank.stderr()]).toEqual(["", ""]);
});

test("-syslog with -log-format json is refused, with the reason", async () => {
  const ended = await web.bench.run([CRANK, "-name", "web", "-bind", "127.0.0.1:0", "-syslog", "-log-format", "json"]);
  expect([ended.status, ended.stderr]).toEqual([
    2,
    expect.stringContaining("-log-format json: -syslog has only the text format"),
  ]);
});
