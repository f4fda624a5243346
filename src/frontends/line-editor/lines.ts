// Where the lines of a shell come from: an editor on a terminal, plain lines otherwise.
export type Lines = {
  /** Asks for the next line; null: there are no more. What was pasted may hold several, with newlines between them. */
  next(): Promise<string | null>;
  /** Keeps a line for the history. */
  remember(entry: string): void;
  /** Resolves when the user wants to end the program while a line is answered. */
  readonly interrupted: Promise<void>;
  /** Gives back what was taken over. */
  close(): void;
};
