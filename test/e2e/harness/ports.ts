// Ports for programs that need a port number before they open it.
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const LOWEST = 10_000;
const TRIES = 1000;

/** Where the kernel's ephemeral ports begin, which other tests and their clients get: ip(7). */
const lowestGivenAway = (): number => {
  const [lowest = ""] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s/);
  // Where all ports are ephemeral, any will do.
  return Number(lowest) > LOWEST + TRIES ? Number(lowest) : 65_536;
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });

/** Ports that were free a moment ago, and that no other process gets by chance. */
export const freePorts = async (count: number): Promise<number[]> => {
  const end = lowestGivenAway();
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count && tries < TRIES; tries++) {
    const port = LOWEST + Math.floor(Math.random() * (end - LOWEST));
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  if (ports.size < count) throw new Error(`${TRIES} ports were tried, and there are not ${count} free ones`);
  return [...ports];
};
