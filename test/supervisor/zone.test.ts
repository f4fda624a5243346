// Local time from the keeper's C library.
import { expect, test } from "bun:test";
import { goTime } from "../../src/supervisor/events/log.ts";
import { isoTime, localDate, offsetText } from "../../src/supervisor/state/wall-time.ts";

const CHANGE = Date.UTC(2026, 9, 25, 1) / 1000;
const facts = { zone: { offset: 7200, until: CHANGE, nextOffset: 3600 } };

test("local time follows the zone's next change", () => {
  expect(localDate(facts, CHANGE * 1000 - 1).toISOString()).toBe("2026-10-25T02:59:59.999Z");
  expect(localDate(facts, CHANGE * 1000).toISOString()).toBe("2026-10-25T02:00:00.000Z");
  // Only the store's time zone is used.
  expect(goTime({ facts } as unknown as Parameters<typeof goTime>[0], CHANGE * 1000)).toBe("2026/10/25 02:00:00");
});

test("a displayed time has the service's clock and its offset", () => {
  expect(isoTime(facts, CHANGE * 1000 - 1)).toBe("2026-10-25T02:59:59.999+02:00");
  expect(isoTime(facts, CHANGE * 1000)).toBe("2026-10-25T02:00:00.000+01:00");
  expect(isoTime({}, 0)).toBe("1970-01-01T00:00:00.000+00:00");
});

test("a zone with odd seconds does not change the moment", () => {
  const odd = isoTime({ zone: { offset: -12_615, until: CHANGE, nextOffset: 0 } }, 1000);
  expect(odd).toBe("1969-12-31T20:30:01.000-03:30");
  expect(Date.parse(odd)).toBe(1000);
});

test("an offset has ISO 8601's format", () => {
  expect([19_800, -12_600, 0, 50_400].map(offsetText)).toEqual(["+05:30", "-03:30", "+00:00", "+14:00"]);
});
