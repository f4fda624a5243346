// A checkout that other users can reach: tests run its programs as another user, and root's home is closed to others. A
// checkout there is also mounted below the temporary directory, in a mount namespace of the run.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

const OTHERS_MAY_SEARCH = 0o001;

/** Whether unprivileged users can reach this directory. */
export const isReachable = (directory: string): boolean => {
  if ((statSync(directory).mode & OTHERS_MAY_SEARCH) === 0) return false;
  return directory === "/" || isReachable(dirname(directory));
};

const canMount = (): boolean => spawnSync("unshare", ["--mount", "true"]).status === 0;

/** Runs this program again with a reachable checkout, if needed. Returns its exit status; null: not needed. */
export const runWhereReachable = async (root: string): Promise<number | null> => {
  // If the temporary directory is closed to others too, a second mount does not help.
  const isHelped = !isReachable(root) && isReachable(tmpdir());
  if (process.getuid?.() !== 0 || !isHelped || !canMount()) return null;
  const directory = mkdtempSync(join(tmpdir(), "crank-checkout-"));
  const place = join(directory, "crank");
  chmodSync(directory, 0o711);
  mkdirSync(place);
  const script = 'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"';
  const bun = join(place, relative(root, process.execPath));
  const again = [bun, join(place, "test/run.ts"), ...process.argv.slice(2)];
  try {
    return await statusOf(
      spawn("unshare", ["--mount", "sh", "-c", script, "sh", root, place, ...again], { stdio: "inherit" }),
    );
  } finally {
    rmdirSync(place);
    rmdirSync(directory);
  }
};

/** Waits for its exit, and passes on signals that ask this process to end. */
const statusOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
    child.once("error", reject);
    child.once("exit", (status) => resolve(status ?? 1));
  });
