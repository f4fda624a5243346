// A control socket that gives every request the same answer, to test how clients handle answers.
import type { Service } from "./service.ts";

/** Listens in place of crank until the end of the test. */
export const answering = (service: Service, result: unknown): void => {
  const listener = Bun.listen({
    unix: service.path("web.ctl"),
    socket: {
      data: (socket, bytes) => {
        for (const asked of bytes.toString().trim().split("\n"))
          socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(asked).id, result })}\n`);
      },
    },
  });
  service.hold(() => listener.stop(true));
};
