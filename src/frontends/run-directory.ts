// Where a program keeps what lets the next one adopt its workers: beside its control socket, which tells two of them apart.

/** The run directory of the program whose control socket is at this absolute path. */
export const runDirectoryBeside = (socketPath: string): string => `${socketPath.replace(/\.(ctl|sock)$/, "")}.run`;
