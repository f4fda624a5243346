// An address that another process has: which process, and whose worker it is, for every kind of socket.
import { expect, test } from "bun:test";
import { CRANK, portOf } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

const web = eachTest(new Service());

/** crank's message when it cannot have this address. */
const refused = async (bind: string): Promise<string> =>
  (await web.bench.run([CRANK, "-prefix", web.directory, "-name", "second", "-bind", bind])).stderr;

/** Another process that has a socket, and the port of that socket. */
const holder = async (open: string): Promise<{ readonly pid: number; readonly port: string }> => {
  const script = `import socket, time\n${open}\nprint(s.getsockname()[1] if s.family != socket.AF_UNIX else 0, flush=True)\ntime.sleep(600)`;
  const other = web.bench.start(["python3", "-c", script]);
  await other.wrote("stdout", "\n");
  return { pid: other.pid, port: other.stdout().trim() };
};

test.each([
  ["tcp", 's = socket.create_server(("127.0.0.1", 0))', "tcp4://127.0.0.1"],
  ["tcp6", 's = socket.create_server(("::1", 0), family=socket.AF_INET6)', "tcp6://[::1]"],
  ["every address", 's = socket.create_server(("0.0.0.0", 0))', "tcp4://127.0.0.1"],
  ["udp", 's = socket.socket(type=socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))', "udp4://127.0.0.1"],
])("%s: the process and its command are named", async (_, open, address) => {
  const { pid, port } = await holder(open);
  expect(await refused(`${address}:${port}`)).toMatch(
    new RegExp(`it is process ${pid} \\(\\S*python3 -c import socket`),
  );
});

test("a unix socket: the process and its command are named", async () => {
  const path = web.path("taken.sock");
  const { pid } = await holder(`s = socket.socket(socket.AF_UNIX); s.bind("${path}"); s.listen()`);
  expect(await refused(`unix://${path}`)).toMatch(new RegExp(`it is process ${pid} \\(\\S*python3 -c import socket`));
});

test("a worker of another service is named with it", async () => {
  const first = await web.bench.crank("first", ["-bind", "127.0.0.1:0"]);
  await web.bench.ctl("first", "run", "-wait", "-ready", "delay:0.1", "--", "sleep", "600");
  const [worker] = JSON.parse((await web.bench.ctl("first", "ps", "-json")).stdout);
  const said = await refused(`127.0.0.1:${portOf(first)}`);
  expect(said).toContain(`${worker.pid} (sleep 600; worker 1 of crank's service first, user ${process.getuid?.()})`);
});
