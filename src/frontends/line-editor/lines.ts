// The source of a shell's lines: an editor on a terminal, plain lines otherwise.
export type Lines = {
  /** Reads the next line; null: the end. Pasted text may contain several, with newlines between them. */
  next(): Promise<string | null>;
  /** Keeps a line for the history. */
  remember(entry: string): void;
  /** Resolves when the user wants to end the program while a line is answered. */
  readonly interrupted: Promise<void>;
  /** Restores the terminal. */
  close(): void;
};
