// The run directory of a front end, from which the next one adopts the workers: beside its control socket.

/** The run directory of the program whose control socket is at this absolute path. */
export const runDirectoryBeside = (socketPath: string): string => `${socketPath.replace(/\.(ctl|sock)$/, "")}.run`;
