// Stream connections, without blocking.

export type StreamHandlers = {
  /** Bytes have arrived; they belong to the handler only during the call. */
  data(bytes: Uint8Array): void;
  /** The stream is closed. Called once. null: the system gave no reason; else its code (ECONNRESET …). */
  close(code: string | null): void;
};

export type Stream = {
  /**
   * Sends bytes, in order. Bytes that the kernel does not accept yet are kept, so the caller must not change `bytes`.
   */
  write(bytes: Uint8Array): void;
  /** The number of bytes that the kernel has not accepted yet. */
  readonly unsent: number;
  /** Resolves when the kernel has accepted everything that was written, or the stream is closed. */
  flushed(): Promise<void>;
  /** Closes the stream when everything that was written is sent. */
  end(): void;
  /** Closes the stream at once and drops unsent bytes. No handler is called any more. */
  destroy(): void;
};

export type Streams = {
  /** Opens a connection that this process inherited. The stream owns `fd` afterwards. */
  open(fd: number, handlers: StreamHandlers): Promise<Stream>;
  /** Rejects with HostError: ENOENT (no such file), ECONNREFUSED (not listening), ENAMETOOLONG. */
  connectUnix(path: string, handlers: StreamHandlers): Promise<Stream>;
  /** `address` is a literal one: names are resolved by a program (names.ts). Rejects with HostError. */
  connectTcp(address: string, port: number, handlers: StreamHandlers): Promise<Stream>;
};
