// The output of one of several concurrent services: collected until the service is done, or, if it is endless, passed on line
// by line with the service's name.
import { Output } from "../output.ts";

type Piece = { readonly to: Output; readonly text: string };

/** The output of one service on both streams, in order. */
export class Collection {
  #pieces: Piece[] = [];

  add(piece: Piece): void {
    this.#pieces.push(piece);
  }

  /** Writes all of it to the right stream. */
  flush(): void {
    for (const { to, text } of this.#pieces) to.write(text);
    this.#pieces = [];
  }
}

/** Replaces `to` while a service is processed. Not a terminal: several live lines at once cannot be read. */
export class CollectedOutput extends Output {
  readonly #to: Output;
  readonly #name: string;
  readonly #collection: Collection;

  constructor(fd: 1 | 2, to: Output, name: string, collection: Collection) {
    super(fd);
    this.#to = to;
    this.#name = name;
    this.#collection = collection;
  }

  override get hasReader(): boolean {
    return this.#to.hasReader;
  }

  override get isTerminal(): boolean {
    return false;
  }

  override write(text: string): void {
    if (text !== "") this.#collection.add({ to: this.#to, text });
  }

  override writeNow(line: string): void {
    if (line !== "") this.#to.writeNow(`${this.#name}: ${line}`);
  }
}
