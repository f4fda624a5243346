// Log lines in syslog's format.
import { expect, test } from "bun:test";
import { syslogLine, syslogRoute } from "../../src/supervisor/events/syslog.ts";
import type { Settings } from "../../src/supervisor/state/settings.ts";
import type { Store } from "../../src/supervisor/state/store.ts";

// What syslog.ts uses of the store.
const memoryWith = (syslog: Settings["syslog"]): Store =>
  ({ settings: { program: "web", syslog }, facts: { pid: 42 } }) as unknown as Store;

const AT = new Date(2026, 0, 2, 3, 4, 5).getTime();
const entry = (level: "error" | "warning" | "info") => ({ level, message: "it burns", wallMs: AT });

test("warnings and errors carry facility daemon, their level, the time and program[pid]", () => {
  const store = memoryWith({ carries: "warnings" });
  expect(syslogLine(store, entry("error"))).toBe("<27>Jan  2 03:04:05 web[42]: it burns");
  expect(syslogLine(store, entry("warning"))).toBe("<28>Jan  2 03:04:05 web[42]: it burns");
  expect(syslogLine(store, entry("info"))).toBeNull();
});

test("everything gets the route's header, at level info", () => {
  const store = memoryWith({ carries: "everything" });
  expect(syslogLine(store, entry("error"))).toBe("it burns");
  const route = store.settings && syslogRoute(store, store.settings);
  expect(route).toMatchObject({ kind: "routeOutput", sink: 1, header: "<30>%T web[42]: " });
});

test("nothing is sent to syslog unless requested", () => {
  const store = memoryWith(null);
  expect(syslogLine(store, entry("error"))).toBeNull();
  expect(store.settings && syslogRoute(store, store.settings)).toBeNull();
});
