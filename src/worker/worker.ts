// The public interface of `crank/worker`: the parts of this folder for applications.
export { type Drained, type DrainOptions, drain } from "./drain.ts";
export type { PassedSocket } from "./environment.ts";
export { type HandedOver, type HandOverOptions, handOver, takeOver } from "./hand-over.ts";
export { type ListenOptions, listen } from "./listen.ts";
export { notify, ready, status } from "./notify.ts";
export { type ListeningSocket, type OwnAddress, sockets } from "./sockets.ts";
export { onStop, type Stop, type StopHandler, type StopSignal } from "./stop.ts";
export { watch } from "./watch.ts";
export type { WebSocketLike, WebSocketServerLike } from "./websockets.ts";
