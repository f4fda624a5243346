// Stream connections, whose bytes come and go beside everything else.

export type StreamHandlers = {
  /** Bytes came; they are the handler's own only during the call. */
  data(bytes: Uint8Array): void;
  /** The stream is gone, said once. Null unless the system gave a reason; else its code (ECONNRESET …). */
  close(code: string | null): void;
};

export type Stream = {
  /** Sends bytes, in order. What the kernel does not take is kept until it does; the caller leaves `bytes` as they are. */
  write(bytes: Uint8Array): void;
  /** How many bytes the kernel has not taken yet. */
  readonly unsent: number;
  /** Resolves when the kernel has taken everything that was written, or the stream is gone. */
  flushed(): Promise<void>;
  /** Closes when everything that was written is sent. */
  end(): void;
  /** Closes at once; what is unsent is dropped. No handler is called any more. */
  destroy(): void;
};

export type Streams = {
  /** A connection that this process inherited. `fd` belongs to the stream afterwards. */
  open(fd: number, handlers: StreamHandlers): Promise<Stream>;
  /** Rejects with HostError: ENOENT nothing there, ECONNREFUSED not listening, ENAMETOOLONG. */
  connectUnix(path: string, handlers: StreamHandlers): Promise<Stream>;
  /** `address` is a literal one: names are looked up by a program (processes.ts). Rejects with HostError. */
  connectTcp(address: string, port: number, handlers: StreamHandlers): Promise<Stream>;
};
