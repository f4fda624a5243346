// Kills a crank as the machine would.
import { isAlive, type Running, supervisorOf, waitFor } from "./service.ts";

/** Kills crank's two processes, as the machine would for want of memory. */
export const killCrank = async (crank: Running): Promise<void> => {
  const supervisor = supervisorOf(crank);
  process.kill(crank.pid, "SIGKILL");
  if (supervisor !== undefined && isAlive(supervisor)) {
    try {
      process.kill(supervisor, "SIGKILL");
    } catch {
      // Its parent's death was its own.
    }
  }
  await waitFor("the end of crank", () => !isAlive(crank.pid));
};
