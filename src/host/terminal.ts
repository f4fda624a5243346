// The terminal and its input.

export type InputHandlers = {
  /** Whole characters: an incomplete one is held back until its rest arrives. */
  typed(text: string): void;
  /** The input has ended. Called once. */
  ended(): void;
};

export type Terminal = {
  isTerminal(fd: number): boolean;
  /** null if it is not a terminal. */
  size(fd: number): { readonly columns: number; readonly rows: number } | null;
  /** `raw`: each key is delivered at once and unchanged. Throws HostError. */
  setRaw(isRaw: "raw" | "cooked"): void;
  /**
   * Sets the text, at most 256 bytes, that is written to standard output if a crash or an unhandled signal ends the
   * process. Raw mode ends then in any case. Empty: none.
   */
  undoScreen(text: string): void;
  /**
   * Reads standard input from now on, which keeps the process alive. Returns a function that stops it; reading can
   * begin again.
   */
  read(handlers: InputHandlers): () => void;
};
