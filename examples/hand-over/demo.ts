// `make demo-handover`: one TCP connection that survives ten deploys while 1 GiB is sent in both directions. Each deploy
// replaces the server's process. Exits with status 1 if the connection was closed or the data differs.
import { Service } from "../demo/service.ts";
import { transfer } from "./client.ts";

const TOTAL = Number(process.env.BYTES ?? 2 ** 30);
const DEPLOYS = 10;

const service = new Service();
const says: string[] = [];
let deploys = 0;

const run = async (): Promise<boolean> => {
  const port = await service.start({ event: () => {}, line: ({ line, pid }) => says.push(`pid ${pid}: ${line}`) });
  const first = await service.ctl("run", "-wait", "-hand-over", "--", "node", "examples/hand-over/server.mjs");
  if (first.status !== 0) throw new Error(first.stderr);
  // An eleventh of the bytes before the first deploy and for each deploy, so that data is in transit during each.
  const done = transfer({ host: "127.0.0.1", port }, TOTAL, () => (TOTAL * (deploys + 1)) / (DEPLOYS + 1));
  // Told below.
  done.catch(() => {});
  for (; deploys < DEPLOYS; deploys++) {
    const { status, stderr } = await service.ctl("reload", "-wait");
    if (status !== 0) throw new Error(stderr);
  }
  const { sent, heard, ms } = await done;
  const isEqual = sent === heard;
  console.log(says.join("\n"));
  console.log(
    `${TOTAL} bytes there and back through ${deploys} deploys in ${(ms / 1000).toFixed(1)} s, on one connection`,
  );
  console.log(`sent   ${sent}\nheard  ${heard}   ${isEqual ? "equal" : "DIFFERENT"}`);
  return isEqual;
};

try {
  process.exitCode = (await run()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await service.clean();
}
