// The operand stack of one function while it is translated: what lies on it are C expressions. One without side effects
// stays an expression until it is used, unless something it depends on changes before.
import type { ByteReader } from "./bytes.ts";
import type { ValueType } from "./module.ts";
import { C_TYPES } from "./operators.ts";

export type Operand = {
  readonly c: string;
  readonly type: ValueType;
  /** The variables of the function that `c` names: it has to be evaluated before one of them is set. */
  readonly locals: ReadonlySet<number>;
};

/** Longer expressions are given a name: nested ones would grow without bound. */
const LONGEST_EXPRESSION = 400;

const NO_LOCALS: ReadonlySet<number> = new Set();

/** An expression that stays true whatever is set: a constant, or the name of a value that is computed once. */
export const fixed = (c: string, type: ValueType): Operand => ({ c, type, locals: NO_LOCALS });

export class OperandStack {
  readonly #out: string[];
  readonly #reader: ByteReader;
  readonly #entries: Operand[] = [];
  #names = 0;
  /** Operands below belong to an outer block. */
  #floor = 0;

  /** Statements go to `out`; `reader` tells where a fault is. */
  constructor(out: string[], reader: ByteReader) {
    this.#out = out;
    this.#reader = reader;
  }

  get height(): number {
    return this.#entries.length;
  }

  push(operand: Operand): void {
    this.#entries.push(operand.c.length > LONGEST_EXPRESSION ? this.#named(operand) : operand);
  }

  /** Evaluates an expression now and pushes its value. */
  pushNow(c: string, type: ValueType): void {
    this.#entries.push(this.#named(fixed(c, type)));
  }

  /** Pushes an expression made of operands that were popped. */
  pushMadeOf(operands: readonly Operand[], c: string, type: ValueType): void {
    const locals = operands.flatMap((operand) => [...operand.locals]);
    this.push({ c, type, locals: locals.length === 0 ? NO_LOCALS : new Set(locals) });
  }

  /** The uppermost operand, of the type that is wanted; `null` takes any. */
  pop(type: ValueType | null): Operand {
    const operand = this.#entries.length > this.#floor ? this.#entries.pop() : undefined;
    if (operand === undefined) return this.#reader.fail("an operand is missing");
    if (type !== null && operand.type !== type) this.#reader.fail(`an operand is ${operand.type} instead of ${type}`);
    return operand;
  }

  /** Operands of these types, the last one uppermost. */
  popAll(types: readonly ValueType[]): readonly Operand[] {
    return types
      .toReversed()
      .map((type) => this.pop(type))
      .reverse();
  }

  /** Evaluates what depends on a variable that is about to be set. */
  settle(local: number): void {
    this.#settleIf((operand) => operand.locals.has(local));
  }

  /** Evaluates what depends on any variable: before control flow divides or meets. */
  settleAll(): void {
    this.#settleIf((operand) => operand.locals.size > 0);
  }

  /** Begins a block: its operands are those from here on. Returns what `leave` wants back. */
  enter(): number {
    const floor = this.#floor;
    this.#floor = this.#entries.length;
    return floor;
  }

  /** Forgets the operands of the block, as behind a branch. */
  clear(): void {
    this.#entries.length = this.#floor;
  }

  leave(floor: number): void {
    if (this.#entries.length !== this.#floor) this.#reader.fail("operands are left over at the end of a block");
    this.#floor = floor;
  }

  #settleIf(mustSettle: (operand: Operand) => boolean): void {
    this.#entries.forEach((operand, index) => {
      if (mustSettle(operand)) this.#entries[index] = this.#named(operand);
    });
  }

  #named({ c, type }: Operand): Operand {
    const name = `t${this.#names++}`;
    this.#out.push(`${C_TYPES[type]} ${name} = ${c};`);
    return fixed(name, type);
  }
}
