// Programs that version managers (pyenv, asdf) put in front of the real one: a script that takes longer than the program itself,
// at each of the hundreds of times that tests start it.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";

/** PATH with the directory of the real python3 first, if the one that is found is not in it. */
export const pathWithoutShims = (path: string): string => {
  const script = "import sys; print(sys.executable)";
  const { status, stdout } = spawnSync("python3", ["-c", script], {
    encoding: "utf8",
    env: { ...process.env, PATH: path },
  });
  const real = dirname((stdout ?? "").trim());
  const found = Bun.which("python3", { PATH: path });
  return status !== 0 || found === null || dirname(found) === real || real === "." ? path : `${real}:${path}`;
};
