// Small bundles as images, and programs that run them, from the output of `make engine`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../setup/command.ts";

export const BUILD = join(ROOT, "build/engine/build");
export const SANITIZED = join(ROOT, "build/engine/build-sanitized");
/** Only `make engine` builds the engine. */
export const isBuilt = existsSync(BUILD) && existsSync(SANITIZED);

export type Ran = {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type RunOptions = {
  readonly use?: "copied" | "mapped";
  readonly program?: string;
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Shell code before the command: `ulimit -v 1000;`. */
  readonly before?: string;
};

/** Sets the hooks that the engine needs from every bundle: for the start, and for each turn. */
const FRAME = `
const sys = globalThis.hostCalls;
const say = (text) => { const bytes = sys.encode(text + "\\n"); sys.write(1, bytes, 0, bytes.length, -1); };
const run = (start, turn = () => 0) => sys.setHooks(start, turn, (error) => { say("uncaught " + error); sys.exit(9); });
`;

/** A directory with images; `remove` deletes it. */
export class Images {
  readonly directory = mkdtempSync(join(tmpdir(), "crank-image-"));

  /** Builds an image of a few lines that use `sys`, `say` and `run`. */
  make(name: string, source: string, program = BUILD): string {
    return this.makeOf(name, FRAME + source, program);
  }

  /** Builds an image of a whole bundle. */
  makeOf(name: string, bundle: string, program = BUILD): string {
    const path = join(this.directory, name);
    writeFileSync(`${path}.mjs`, bundle);
    this.#must(program, ["compile", `${path}.mjs`, `${path}.bytecode`]);
    this.#must(program, ["image", `${path}.bytecode`, `${path}.image`]);
    return `${path}.image`;
  }

  run(image: string, options: RunOptions = {}): Ran {
    const words = [options.program ?? BUILD, "run", options.use ?? "copied", image, ...(options.arguments ?? [])];
    const line = `${options.before ?? ""} exec "$@"`;
    const { status, signal, stdout, stderr } = spawnSync("bash", ["-c", line, "bash", ...words], {
      encoding: "utf8",
      cwd: options.cwd ?? this.directory,
      env: { ...process.env, ...options.environment },
      input: options.input ?? "",
      timeout: 60_000,
    });
    return { status, signal, stdout, stderr };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #must(program: string, words: readonly string[]): void {
    const { status, stderr } = spawnSync(program, words, { encoding: "utf8", timeout: 60_000 });
    if (status !== 0) throw new Error(`${program} ${words.join(" ")}: ${status}: ${stderr}`);
  }
}
