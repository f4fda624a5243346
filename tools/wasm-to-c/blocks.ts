// Structured control flow as labels and gotos: the open blocks of the function that is being translated, and how to
// leave each.
import type { ByteReader } from "./bytes.ts";
import type { ValueType } from "./module.ts";
import { fixed, type Operand, type OperandStack } from "./operands.ts";
import { C_TYPES } from "./operators.ts";

type Block = {
  readonly kind: "function" | "block" | "loop" | "if";
  readonly number: number;
  readonly result: ValueType | null;
  /** The argument for the stack's `leave` at the block's end. */
  readonly floor: number;
  /** A branch jumps to its label. */
  isTarget: boolean;
  hasElse: boolean;
};

export class Blocks {
  readonly #out: string[];
  readonly #reader: ByteReader;
  readonly #stack: OperandStack;
  readonly #open: Block[] = [];
  #count = 0;

  constructor(out: string[], reader: ByteReader, stack: OperandStack) {
    this.#out = out;
    this.#reader = reader;
    this.#stack = stack;
  }

  get isEmpty(): boolean {
    return this.#open.length === 0;
  }

  enter(kind: Block["kind"], result: ValueType | null): Block {
    if (kind !== "function") this.#stack.settleAll();
    const floor = this.#stack.enter();
    const block: Block = { kind, number: this.#count++, result, floor, isTarget: false, hasElse: false };
    this.#open.push(block);
    if (result !== null && kind !== "function") this.#out.push(`${C_TYPES[result]} b${block.number};`);
    if (kind === "loop") this.#out.push(`L${block.number}:;`);
    return block;
  }

  /** `condition` was popped. It is evaluated before anything that it depends on can change. */
  enterIf(condition: Operand, result: ValueType | null): void {
    const block = this.enter("if", result);
    this.#out.push(`if (!${condition.c}) goto E${block.number};`);
  }

  /** `isReached`: the end of the first half is reachable, with its result on the stack. */
  otherwise(isReached: boolean): void {
    const block = this.#innermost();
    if (block.kind !== "if" || block.hasElse) this.#reader.fail("an else belongs to no if");
    if (isReached) {
      this.#assignResult(block);
      this.#out.push(`goto L${block.number};`);
      block.isTarget = true;
    }
    this.#expectEmpty(isReached);
    this.#out.push(`E${block.number}:;`);
    block.hasElse = true;
  }

  /** Ends the innermost block. Returns whether the code after it is reachable. */
  leave(isReached: boolean): boolean {
    const block = this.#innermost();
    if (block.kind === "function") return this.#leaveFunction(block, isReached);
    if (block.kind === "if" && !block.hasElse && block.result !== null)
      this.#reader.fail("an if without else has a result");
    if (isReached) this.#assignResult(block);
    this.#expectEmpty(isReached);
    this.#open.pop();
    this.#stack.leave(block.floor);
    const isSkipped = block.kind === "if" && !block.hasElse;
    if (isSkipped) this.#out.push(`E${block.number}:;`);
    // A loop's label is at its beginning, so a branch to it does not reach its end.
    const isEnded = block.isTarget && block.kind !== "loop";
    if (isEnded) this.#out.push(`L${block.number}:;`);
    if (block.result !== null) this.#stack.push(fixed(`b${block.number}`, block.result));
    return isReached || isSkipped || isEnded;
  }

  /** The type of the value that a branch passes; null: none. */
  valueOf(depth: number): ValueType | null {
    const block = this.#at(depth);
    return block.kind === "loop" ? null : block.result;
  }

  /** The statement that branches to the block at this depth, with the value that it passes. */
  branch(depth: number, value: Operand | null): string {
    const block = this.#at(depth);
    if (block.kind === "function") return value === null ? "return;" : `return ${value.c};`;
    block.isTarget = true;
    const jump = `goto L${block.number};`;
    return value === null ? jump : `{ b${block.number} = ${value.c}; ${jump} }`;
  }

  get outermost(): number {
    return this.#open.length - 1;
  }

  #leaveFunction(block: Block, isReached: boolean): boolean {
    if (isReached && block.result !== null) this.#out.push(`return ${this.#stack.pop(block.result).c};`);
    this.#expectEmpty(isReached);
    this.#open.pop();
    this.#stack.leave(block.floor);
    return false;
  }

  #assignResult(block: Block): void {
    if (block.result !== null) this.#out.push(`b${block.number} = ${this.#stack.pop(block.result).c};`);
  }

  /** After a branch, the operands on the stack are dropped. */
  #expectEmpty(isReached: boolean): void {
    if (!isReached) this.#stack.clear();
  }

  #innermost(): Block {
    return this.#open.at(-1) ?? this.#reader.fail("an end belongs to no block");
  }

  #at(depth: number): Block {
    return this.#open.at(-1 - depth) ?? this.#reader.fail(`a branch leaves ${depth + 1} blocks, which are not there`);
  }
}
