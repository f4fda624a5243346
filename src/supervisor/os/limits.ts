// Resource limits by name (setrlimit(2), the generic Linux numbers).

const RESOURCES: Readonly<Record<string, number>> = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
};

/** The names that `-limit` knows. */
export const LIMIT_NAMES = Object.keys(RESOURCES);

/** The kernel's number for `nofile`, `core` …; null if there is no such limit. */
export const limitNumber = (name: string): number | null =>
  Object.hasOwn(RESOURCES, name) ? (RESOURCES[name] ?? null) : null;
