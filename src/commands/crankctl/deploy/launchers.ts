// Commands that start Node.js as a child without crank's sockets, such as `npm start`: what to run instead. Which of them close
// descriptors was found by experiment; docs/how-to/node.md has the table.

/** The members of a package.json that matter here, as far as they are what they should be. */
export type Manifest = {
  readonly scripts: Readonly<Record<string, string>>;
  /** Whether there is a server.js, which `npm start` runs without a script. */
  readonly hasServer: boolean;
};

export type Verdict =
  | { readonly kind: "run"; readonly command: readonly string[] }
  /** `launcher` only starts this command, which can be run as it is. */
  | { readonly kind: "replace"; readonly command: readonly string[]; readonly launcher: string; readonly why: string }
  | { readonly kind: "refuse"; readonly launcher: string; readonly why: string; readonly advice: string };

const RUNTIMES = new Set(["node", "bun", "deno"]);
const MANAGERS = new Set(["npm", "pnpm", "yarn", "bun"]);
const RUN_WORDS = new Set(["run", "run-script"]);
const EXECUTE_WORDS = new Set(["exec", "x", "dlx"]);
/** They run their arguments as a command. */
const EXECUTORS = new Set(["npx", "pnpx", "bunx"]);
const WATCHERS = new Set(["nodemon", "node-dev", "ts-node-dev", "tsnd"]);
const MANAGERS_OF_PROCESSES = new Set(["pm2", "pm2-runtime", "forever"]);
/** Nested launchers: a script that runs a script, and so on. */
const MOST_NESTED = 8;

/** Whether this command passes crank's sockets on. Without a manifest, scripts are not known. */
export const judgeCommand = (command: readonly string[], manifest: Manifest | null, nested = 0): Verdict => {
  const [program = "", ...args] = command;
  const name = baseName(program);
  const launcher = [name, ...args.slice(0, 1).filter((word) => !word.startsWith("-"))].join(" ");
  const refuse = (why: string, advice: string): Verdict => ({ kind: "refuse", launcher, why, advice });

  if (nested > MOST_NESTED) return refuse(closes(name), "Run the program itself.");
  const script = scriptOf(name, args, manifest);
  if (script) return judgeScript(script, manifest, nested);
  if (EXECUTORS.has(name) || (MANAGERS.has(name) && EXECUTE_WORDS.has(args[0] ?? ""))) {
    const words = withoutFlags(EXECUTORS.has(name) ? args : args.slice(1));
    return refuse(closes(name), runItself(direct(words, manifest, nested)));
  }
  if (name === "tsx" && args[0] === "watch") return refuse(restarts(launcher), runItself(withTsx(args.slice(1))));
  if (name === "tsx") return { kind: "refuse", launcher: name, why: closes(name), advice: runItself(withTsx(args)) };
  if (WATCHERS.has(name)) return refuse(restarts(name), runItself(["node", ...withoutFlags(args)]));
  if (name === "node" && args.some(isWatch))
    return {
      kind: "refuse",
      launcher: "node --watch",
      why: restarts("node --watch"),
      advice: runItself(["node", ...args.filter((word) => !isWatch(word))]),
    };
  if (name === "env" || name === "cross-env") return judgeWithEnvironment(name, command, manifest, nested);
  if (name === "dotenv")
    return refuse(closes(name), "Let node read the file: crankctl run -- node --env-file=.env FILE.");
  if (MANAGERS_OF_PROCESSES.has(name))
    return refuse(
      `${name} starts programs without crank's sockets, and does what crank does.`,
      runItself(["node", "FILE"]),
    );
  return { kind: "run", command };
};

type Script = {
  readonly launcher: string;
  readonly name: string;
  readonly text: string | null;
  readonly args: readonly string[];
};

/** The script that a command runs; null: it runs none. `text` null: the script is not known. */
const scriptOf = (name: string, args: readonly string[], manifest: Manifest | null): Script | null => {
  const words = [...args];
  if (name === "node" && words[0] === "--run") return scriptNamed("node --run", words.slice(1), manifest);
  if (!MANAGERS.has(name)) return null;
  while (words[0]?.startsWith("-") === true && name !== "bun") words.shift();
  const [first = ""] = words;
  if (RUN_WORDS.has(first)) {
    // `bun run FILE` executes it itself.
    if (name === "bun" && manifest?.scripts[words[1] ?? ""] === undefined) return null;
    return scriptNamed(`${name} run`, words.slice(1), manifest);
  }
  if (first === "start" || first === "test" || first === "restart") {
    return name === "bun" && manifest?.scripts[first] === undefined ? null : scriptNamed(name, words, manifest);
  }
  // pnpm, yarn and bun run a script by its name alone.
  return name !== "npm" && manifest?.scripts[first] !== undefined ? scriptNamed(name, words, manifest) : null;
};

const scriptNamed = (launcher: string, words: readonly string[], manifest: Manifest | null): Script => {
  const [name = "", ...rest] = words;
  const args = rest[0] === "--" ? rest.slice(1) : rest;
  const isServer = name === "start" && manifest?.hasServer === true;
  const text = manifest?.scripts[name] ?? (isServer ? "node server.js" : null);
  return { launcher: `${launcher} ${name}`, name, text, args };
};

const judgeScript = (script: Script, manifest: Manifest | null, nested: number): Verdict => {
  const { launcher, name, text, args } = script;
  const why = closes(launcher.split(" ")[0] ?? launcher);
  const refuse = (advice: string): Verdict => ({ kind: "refuse", launcher, why, advice });
  if (text === null) return refuse("Run the script's command itself: crankctl run -- node FILE.");
  const before = `pre${name}`;
  const words = plainWords(text);
  const inner = words === null ? null : judgeCommand([...words, ...args], manifest, nested + 1);
  if (inner === null)
    return refuse(`Its script is for a shell (${text}). Run the program in it itself: crankctl run -- node FILE.`);
  const command = inner.kind === "refuse" ? null : inner.command;
  if (manifest?.scripts[before] !== undefined) {
    const then = command === null ? "" : `, and then ${shown(command)}`;
    return refuse(`It runs ${before} first: do that before the deploy${then}.`);
  }
  if (command === null) return refuse(inner.kind === "refuse" ? inner.advice : "");
  if (RUNTIMES.has(baseName(withoutEnv(command)[0] ?? ""))) return { kind: "replace", command, launcher, why };
  return refuse(runItself(direct(command, manifest, nested)));
};

/** `env A=1 node x` executes node in its place; cross-env starts it as a child. */
const judgeWithEnvironment = (
  name: "env" | "cross-env",
  words: readonly string[],
  manifest: Manifest | null,
  nested: number,
): Verdict => {
  const [, ...args] = words;
  const inner = withoutEnv(["env", ...args]);
  // Flags of env(1), and env without a command, are not looked into.
  if (inner.length === 0 || inner[0]?.startsWith("-") === true) return { kind: "run", command: words };
  const verdict = judgeCommand(inner, manifest, nested + 1);
  if (verdict.kind === "refuse") return verdict;
  const assignments = args.slice(0, args.length - inner.length);
  const command = [
    "env",
    ...assignments,
    ...(verdict.command[0] === "env" ? verdict.command.slice(1) : verdict.command),
  ];
  if (verdict.kind === "replace") return { ...verdict, command };
  return name === "env"
    ? { kind: "run", command: words }
    : { kind: "replace", command, launcher: name, why: closes(name) };
};

const closes = (name: string): string => `${name} closes the sockets on the way to the program.`;
const restarts = (name: string): string =>
  `${name} starts the program as a child without the sockets, and restarts it by itself: it is for development.`;
const shown = (command: readonly string[]): string => `crankctl run -- ${command.join(" ")}`;
const runItself = (command: readonly string[]): string => `Run the script's command itself: ${shown(command)}.`;

const withTsx = (args: readonly string[]): readonly string[] => ["node", "--import", "tsx", ...args];

/** What a launcher's arguments are without it. A program of a package is in node_modules/.bin, and executes node in its place. */
const direct = (words: readonly string[], manifest: Manifest | null, nested: number): readonly string[] => {
  const environment = words.slice(0, words.length - withoutEnv(words).length);
  const [program = "PROGRAM", ...args] = withoutEnv(words);
  if (RUNTIMES.has(program) || program.includes("/")) return words;
  const inner = judgeCommand([program, ...args], manifest, nested + 1);
  if (program === "tsx") return [...environment, ...withTsx(args[0] === "watch" ? args.slice(1) : args)];
  if (inner.kind === "replace") return inner.command;
  return [...environment, `node_modules/.bin/${program}`, ...args];
};

/** The words of a script that needs no shell; leading assignments become arguments of env(1). Null: it needs one. */
const plainWords = (text: string): readonly string[] | null => {
  if (!/^[\w@%+=:,./ -]+$/.test(text)) return null;
  const words = text.split(" ").filter((word) => word !== "");
  return isAssignment(words[0] ?? "") ? ["env", ...words] : words;
};

const isAssignment = (word: string): boolean => /^[A-Za-z_]\w*=/.test(word);
const isWatch = (word: string): boolean => /^--watch(-path)?(=|$)/.test(word);
const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The command behind `env NAME=VALUE`. */
const withoutEnv = (words: readonly string[]): readonly string[] => {
  if (words[0] !== "env") return words;
  const first = words.findIndex((word, index) => index > 0 && !isAssignment(word));
  return first < 0 ? [] : words.slice(first);
};

const withoutFlags = (words: readonly string[]): readonly string[] => {
  const first = words.findIndex((word) => !word.startsWith("-"));
  return first < 0 ? [] : words.slice(first);
};
