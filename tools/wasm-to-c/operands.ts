// The operand stack of the function that is being translated. Its operands are C expressions. An expression without
// side effects is evaluated when it is used, or before something that it depends on changes.
import type { ByteReader } from "./bytes.ts";
import type { ValueType } from "./module.ts";
import { C_TYPES } from "./operators.ts";

export type Operand = {
  readonly c: string;
  readonly type: ValueType;
  /** The function's variables in `c`: it must be evaluated before one of them is set. */
  readonly locals: ReadonlySet<number>;
};

/** Longer expressions get a name, because nesting could make them grow without bound. */
const LONGEST_EXPRESSION = 400;

const NO_LOCALS: ReadonlySet<number> = new Set();

/** An expression that does not depend on variables: a constant, or the name of a computed value. */
export const fixed = (c: string, type: ValueType): Operand => ({ c, type, locals: NO_LOCALS });

export class OperandStack {
  readonly #out: string[];
  readonly #reader: ByteReader;
  readonly #entries: Operand[] = [];
  #names = 0;
  /** Operands below this index belong to an outer block. */
  #floor = 0;

  /** Statements are added to `out`; `reader` names the place of an error. */
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

  /** Pushes an expression that consists of operands that were popped. */
  pushMadeOf(operands: readonly Operand[], c: string, type: ValueType): void {
    const locals = operands.flatMap((operand) => [...operand.locals]);
    this.push({ c, type, locals: locals.length === 0 ? NO_LOCALS : new Set(locals) });
  }

  /** Pops the top operand, which must have this type; `null` accepts any. */
  pop(type: ValueType | null): Operand {
    const operand = this.#entries.length > this.#floor ? this.#entries.pop() : undefined;
    if (operand === undefined) return this.#reader.fail("an operand is missing");
    if (type !== null && operand.type !== type) this.#reader.fail(`an operand is ${operand.type} instead of ${type}`);
    return operand;
  }

  /** Pops operands of these types; the last one is on top. */
  popAll(types: readonly ValueType[]): readonly Operand[] {
    return types
      .toReversed()
      .map((type) => this.pop(type))
      .reverse();
  }

  /** Evaluates the operands that depend on a variable, before it is set. */
  settle(local: number): void {
    this.#settleIf((operand) => operand.locals.has(local));
  }

  /** Evaluates the operands that depend on any variable, before control flow splits or joins. */
  settleAll(): void {
    this.#settleIf((operand) => operand.locals.size > 0);
  }

  /** Begins a block: its operands are those pushed from here on. Returns the argument for `leave`. */
  enter(): number {
    const floor = this.#floor;
    this.#floor = this.#entries.length;
    return floor;
  }

  /** Drops the operands of the block, as after a branch. */
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
