// The default directories, the names of services, and `crankctl ls`, as a user and as root see them.
import { expect } from "bun:test";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountNamespaces, needing, ROOT_USER } from "../../needs.ts";
import { compiled } from "../harness/apps.ts";
import { type Bench, CRANK, CRANKCTL, type Ended } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";

const web = eachTest(new Service());

const AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/** A user with its own home directory and no other directories. */
const home = async (bench: Bench) => {
  const directory = join(bench.directory, "home");
  await bench.run(["install", "-d", "-o", "65534", "-g", "65534", directory]);
  await bench.run(["chmod", "755", bench.directory]);
  const env = { HOME: directory, XDG_STATE_HOME: undefined, XDG_RUNTIME_DIR: undefined, CRANK_PREFIX: undefined };
  const ctl = (...args: readonly string[]): Promise<Ended> => bench.run([...AS_NOBODY, CRANKCTL, ...args], { env });
  const crank = async (name: string) =>
    bench.listens(bench.start([...AS_NOBODY, CRANK, "-name", name, "-bind", "127.0.0.1:0"], { env }));
  return { directory: join(directory, ".local/state/crank"), ctl, crank };
};

needing(ROOT_USER).test("a user needs no prefix, and no name while one service runs", async () => {
  const { directory, ctl, crank } = await home(web.bench);
  expect(await ctl("ls")).toMatchObject({ status: 0, stdout: "", stderr: expect.stringContaining("no services in") });
  expect(await ctl("ps")).toMatchObject({ status: 2, stderr: expect.stringContaining("No crank runs") });
  await crank("api");
  expect(
    readdirSync(directory)
      .filter((name) => /\.(conf|ctl|run)$/.test(name))
      .sort(),
  ).toEqual(["api.conf", "api.ctl", "api.run"]);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(await ctl("run", "-wait", "--", compiled("worker"), "one")).toMatchObject({ status: 0 });
  await crank("chat");
  const unnamed = await ctl("ps");
  expect(unnamed.status).toBe(2);
  expect(unnamed.stderr).toContain("service: none given. Use -name NAME or -ctl URI. Running here: api, chat.\n");
  expect((await ctl("-name", "nosuch", "ps")).stderr).toBe(
    `crankctl ps: couldn't connect: no service "nosuch" (looked for ${directory}/nosuch.ctl, /run/crank/nosuch.ctl, /var/crank/nosuch.ctl). Running here: api, chat.\n`,
  );
});

needing(ROOT_USER).test(
  "ls shows each service with its state, and its last failure until the next success",
  async () => {
    const { ctl, crank } = await home(web.bench);
    await crank("api");
    await crank("chat");
    await ctl("-name", "api", "run", "-wait", "-instances", "2", "--", compiled("worker"), "one");
    await ctl("-name", "chat", "run", "-wait", "--", "/bin/false");
    const listed = await ctl("ls");
    expect(listed.status).toBe(0);
    expect(listed.stdout).toMatch(/^api {3}running +1 +2 of 2 +0$/m);
    expect(listed.stdout).toMatch(
      /^chat {2}empty +- +0 of 0 +0 +Generation 1 was rolled back: it exited with status 1/m,
    );
    expect((await ctl("ls", "ch")).stdout).not.toContain("api");
    const documents = (await ctl("ls", "-json")).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(documents).toMatchObject([
      { name: "api", generation: 1 },
      { name: "chat", lastFailure: expect.any(String) },
    ]);
    expect((await ctl("-name", "chat", "status")).stdout).toContain("Last failure: Generation 1 was rolled back");
    await ctl("-name", "chat", "run", "-wait", "--", compiled("worker"), "one");
    expect((await ctl("-name", "chat", "status")).stdout).not.toContain("Last failure");
    expect((await ctl("ls", "more", "than one")).status).toBe(2);
  },
);

needing(ROOT_USER, mountNamespaces()).test(
  "root's services have their files below /var/lib and /run, or in /var/crank if they were there before",
  async () => {
    const script = `
      mount -t tmpfs tmpfs /run && mkdir /run/var && mount --bind /var /run/var && mount -t tmpfs tmpfs /var || exit 1
      mkdir -p /var/lib /var/crank /var/tmp && mount --bind /run/var/tmp /var/tmp && : > /var/crank/old.conf || exit 1
      for name in new old; do '${CRANK}' -name $name -bind 127.0.0.1:0 2>>'${web.path("log")}' & done
      until [ "$('${CRANKCTL}' ls | grep -c empty)" = 2 ]; do sleep 0.05; done
      stat -c '%n %a' /run/crank /run/crank/new.ctl /var/lib/crank /var/lib/crank/new.conf /var/crank/old.ctl
      for name in new old; do '${CRANKCTL}' -name $name shutdown -wait; done
      wait`;
    writeFileSync(web.path("script"), script);
    const env = { CRANK_PREFIX: undefined };
    const ended = await web.bench.run(["timeout", "60", "unshare", "--mount", "sh", web.path("script")], { env });
    expect(ended.stdout).toStartWith(
      "/run/crank 755\n/run/crank/new.ctl 600\n/var/lib/crank 755\n/var/lib/crank/new.conf 644\n/var/crank/old.ctl 600\n",
    );
  },
);
