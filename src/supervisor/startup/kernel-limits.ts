// System limits that conflict with the settings: logged once, at the start.
import { log } from "../events/log.ts";
import type { Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";

/** With fewer descriptors, a server of long-lived connections soon runs out of them. */
const FEW_OPEN_FILES = 4096;

/** Warns if the kernel limits a backlog, and if there are too few descriptors. */
export const warnOfKernelLimits = (store: Store, settings: Settings): void => {
  const { somaxconn, openFiles } = store.platform.kernelLimits();
  const cut = settings.binds.filter((bind) => somaxconn !== null && bind.options.backlog > somaxconn);
  if (cut.length > 0) {
    const which = cut.map((bind) => bind.uri).join(", ");
    log(
      store,
      "warning",
      `net.core.somaxconn is ${somaxconn}, below the backlog of ${which}: connections beyond it are refused in a burst; raise it with sysctl`,
    );
  }
  if (openFiles !== null && openFiles < FEW_OPEN_FILES) {
    log(
      store,
      "warning",
      `Workers may open at most ${openFiles} descriptors each; raise the limit (ulimit -n, LimitNOFILE=) for more connections`,
    );
  }
};
