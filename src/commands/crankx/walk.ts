// The walk over the services: one after the other, or several at once.
import { act, EXIT, type Plan } from "../crankctl/main.ts";
import type { Output } from "../output.ts";
import type { Service } from "../services.ts";
import { escapeControls } from "../terminal.ts";
import { CollectedOutput, Collection } from "./collected-output.ts";

export type Walk = {
  readonly plan: Extract<Plan, { readonly kind: "act" }>;
  readonly parallel: number;
  readonly keepGoing: boolean;
  readonly out: Output;
  readonly err: Output;
};

type Failed = { readonly name: string; readonly status: number };

/** Runs the command on every service; the exit status is that of the first failure. */
export const walk = async (services: readonly Service[], how: Walk): Promise<number> => {
  const remaining = [...services];
  const failed: Failed[] = [];
  const atOnce = Math.min(how.parallel, services.length);
  const board = atOnce > 1 && how.err.isTerminal ? new Board(how.err, services.length) : null;
  const worker = async () => {
    for (let service = remaining.shift(); service !== undefined; service = remaining.shift()) {
      const status = await (atOnce > 1 ? collected(service, how, board) : plainly(service, how));
      if (status === EXIT.done) continue;
      failed.push({ name: service.name, status });
      if (!how.keepGoing) return remaining.splice(0).map((other) => other.name);
    }
    return [];
  };
  const skipped = (await Promise.all(Array.from({ length: atOnce }, worker))).flat();
  const [first] = failed;
  if (first === undefined) return EXIT.done;
  if (services.length > 1) how.err.write(summary(services.length, failed, skipped));
  return first.status;
};

const summary = (total: number, failed: readonly Failed[], skipped: readonly string[]): string => {
  const names = failed.map((service) => service.name).join(", ");
  const rest = skipped.length === 0 ? "" : `; not done: ${skipped.join(", ")}`;
  return `${escapeControls(`crankx: ${failed.length} of ${total} services failed: ${names}${rest}`)}\n`;
};

const plainly = async (service: Service, { plan, out, err }: Walk): Promise<number> => {
  heading(service, plan, out, err);
  return await act(plan.action, { kind: "unix", path: service.path }, plan.flags, { label: plan.label, out, err });
};

const collected = async (service: Service, walk: Walk, board: Board | null): Promise<number> => {
  const collection = new Collection();
  const out = new CollectedOutput(1, walk.out, service.name, collection);
  const err = new CollectedOutput(2, walk.err, service.name, collection);
  board?.begin(service.name);
  const status = await plainly(service, { ...walk, out, err });
  board?.clear();
  collection.flush();
  board?.end(service.name);
  return status;
};

// With -json, standard output contains documents only.
const heading = ({ name }: Service, plan: Walk["plan"], out: Output, err: Output): void => {
  (plan.flags.json === true ? err : out).write(`For ${escapeControls(name)}\n`);
};

/** The line on a terminal that says which services are being worked on. */
class Board {
  readonly #err: Output;
  readonly #total: number;
  #running: string[] = [];
  #done = 0;

  constructor(err: Output, total: number) {
    this.#err = err;
    this.#total = total;
  }

  begin(name: string): void {
    this.#running.push(name);
    this.#draw();
  }

  end(name: string): void {
    this.#running = this.#running.filter((other) => other !== name);
    this.#done += 1;
    if (this.#running.length > 0) this.#draw();
  }

  clear(): void {
    this.#err.write("\r\x1b[K");
  }

  #draw(): void {
    const names = escapeControls(this.#running.join(", "));
    this.#err.write(`\r\x1b[K${this.#done} of ${this.#total} done, at ${names}`.slice(0, MAX_BOARD_LENGTH));
  }
}

/** Keeps the text on one line on any terminal. */
const MAX_BOARD_LENGTH = 79;
