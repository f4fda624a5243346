// The terminal, and what is typed.

export type InputHandlers = {
  /** Characters, whole ones: the bytes of one that was cut off wait for the rest. */
  typed(text: string): void;
  /** Nothing comes any more, said once. */
  ended(): void;
};

export type Terminal = {
  isTerminal(fd: number): boolean;
  /** Null if it is no terminal. */
  size(fd: number): { readonly columns: number; readonly rows: number } | null;
  /** Keys come one by one and unchanged. Throws HostError. */
  setRaw(isRaw: "raw" | "cooked"): void;
  /** What is written to standard output if a fault or an unheard signal ends the process, at most 256 bytes; raw mode ends then in any case. Empty: nothing. */
  undoScreen(text: string): void;
  /** Reads standard input from now on, which keeps the process alive. Returns what ends that; it can be done again. */
  read(handlers: InputHandlers): () => void;
};
