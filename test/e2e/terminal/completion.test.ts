// Completion in real shells: what Tab does to a command line, with the installed script.
import { describe, test } from "bun:test";
import { join } from "node:path";
import { needing } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { type Terminal, Terminals } from "../harness/terminal.ts";

const web = eachTest(new Service({ app: RESPONDER }));
const terminals = new Terminals(web);
const SIZE = { columns: 100, rows: 40 };
const BIN = join(ROOT, "bin");

/** What starts each shell without a user's settings, in a terminal whose prompt is "% ". */
const SHELLS = {
  bash: () => `PATH=${BIN}:$PATH PS1='% ' bash --noprofile --norc -i`,
  zsh: () => `PATH=${BIN}:$PATH PS1='%% ' zsh -f -i`,
  fish: () =>
    `PATH=${BIN}:$PATH HOME=${web.directory} XDG_RUNTIME_DIR=${web.directory} fish --no-config -i -C 'function fish_prompt; echo "% "; end; set -g fish_greeting'`,
} as const;

const SOURCED = {
  bash: "source <(crankctl completion bash)",
  zsh: "autoload -U compinit; compinit -u -D; source <(crankctl completion zsh)",
  fish: "crankctl completion fish | source",
} as const;

type Shell = keyof typeof SHELLS;

const opened = async (shell: Shell): Promise<Terminal> => {
  const terminal = await terminals.open(SIZE);
  await terminal.type(`CRANK_PREFIX=${web.directory} ${SHELLS[shell]()}`, "Enter");
  await terminal.see(/^% *$/m);
  await terminal.type(`${SOURCED[shell]}; clear`, "Enter");
  await terminal.type("echo re''ady", "Enter");
  // With its prompt: what is typed before the prompt is shown twice.
  await terminal.see(/^ready\n% *$/m);
  return terminal;
};

/** Types the start of a word, Tab and an X, waits for the completed line, and removes it. */
const completes = async (terminal: Terminal, typed: string, completed: string): Promise<void> => {
  await terminal.type(typed, "Tab", "X");
  await terminal.see(`% ${completed}X`);
  await terminal.type("C-u");
};

for (const shell of Object.keys(SHELLS) as Shell[]) {
  const group = shell === "bash" ? { describe } : needing(shell);
  group.describe(`${shell} completes`, () => {
    test("commands, flags and values", async () => {
      const terminal = await opened(shell);
      await completes(terminal, "crankctl rel", "crankctl reload ");
      await completes(terminal, "crankctl rollback -t", "crankctl rollback -to ");
      await completes(terminal, "crankctl run -kill-mode pro", "crankctl run -kill-mode process ");
      await completes(terminal, "crankctl run -kill-mode=pro", "crankctl run -kill-mode=process ");
      await completes(terminal, "crankctl run -ready del", "crankctl run -ready delay:");
      await completes(terminal, "crankctl kill --sig", "crankctl kill --signal ");
      await completes(terminal, "crank -log-format js", "crank -log-format json ");
      await completes(terminal, "crankx -kee", "crankx -keep-going ");
      await completes(terminal, `crankctl run -cwd ${ROOT}/packag`, `crankctl run -cwd ${ROOT}/packaging/`);
      await completes(terminal, `crankctl run -cwd=${ROOT}/packag`, `crankctl run -cwd=${ROOT}/packaging/`);
      await completes(terminal, "crankctl run -- readlin", "crankctl run -- readlink ");
    });

    test("services, generations and pids of running cranks", async () => {
      await web.start();
      await web.app("one");
      const [worker] = await web.settled(1);
      const terminal = await opened(shell);
      await completes(terminal, "crankctl status -name w", "crankctl status -name web ");
      await completes(terminal, "crankctl status -name=w", "crankctl status -name=web ");
      await completes(terminal, "crankx w", "crankx web ");
      await completes(terminal, "crankx web rel", "crankx web reload ");
      await completes(terminal, "crankctl rollback -to ", "crankctl rollback -to 1 ");
      await completes(terminal, "crankctl kill -pid ", `crankctl kill -pid ${worker?.pid} `);
    });
  });
}
