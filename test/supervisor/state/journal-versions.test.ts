// Journals of every version: crank reads exactly what each earlier version wrote, and reports what it cannot read.
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CRANK } from "../../../src/commands/crank/front-end.ts";
import { readJournal } from "../../../src/keeper/journal.ts";
import { FORMAT } from "../../../src/supervisor/state/restore.ts";
import { problemWith } from "../../../src/supervisor/upgrade/check.ts";
import { changed, journalFile } from "../../e2e/harness/journal-file.ts";
import { readFixture } from "../../fixtures/read-journal.ts";

const FIXTURES = join(import.meta.dir, "../../fixtures");
const bytesOf = (name: string): Buffer => readFileSync(join(FIXTURES, name));
const names = readdirSync(FIXTURES)
  .filter((name) => /^journal-\d+$/.test(name))
  .sort();
const latest = `journal-${FORMAT}`;

const entriesOf = (name: string) => {
  const journal = readJournal(bytesOf(name));
  if (journal.kind !== "entries") throw new Error(`${name} is ${journal.kind}`);
  return journal;
};

/** Times were once written as `…Z` and now have an offset: they are compared as moments. */
const momentOf = (_: string, value: unknown): unknown =>
  typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(value) ? Date.parse(value) : value;

test("there is a fixture of each version (test/fixtures/make-journal.ts makes the next one)", () => {
  expect(names).toEqual(Array.from({ length: FORMAT }, (_, index) => `journal-${index + 1}`));
});

describe.each(names)("%s", (name) => {
  test("has the same meaning as when it was written", () => {
    const kept = readFileSync(join(FIXTURES, `${name}.json`), "utf8");
    const read = JSON.stringify(readFixture(bytesOf(name)));
    expect(JSON.parse(read, momentOf)).toMatchObject(JSON.parse(kept, momentOf));
  });

  test("passes the upgrade check", () => {
    expect(problemWith(CRANK, bytesOf(name))).toBeNull();
  });
});

describe("the upgrade check refuses a journal", () => {
  const refuse = (bytes: Uint8Array): string | null => problemWith(CRANK, bytes);
  const { bootId, pid, entries } = entriesOf(latest);
  const withEntry = (key: string, value: string): Buffer =>
    journalFile({ bootId, pid, entries: new Map([...entries, [key, Buffer.from(value)]]) });

  test("of a later version, of its file or of its values", () => {
    expect(refuse(journalFile({ bootId, pid, entries }, 99))).toBe(
      "the journal was written by a later version of crank (format 99)",
    );
    expect(refuse(withEntry("format", String(FORMAT + 1)))).toContain("was written by a later version of crank");
    expect(refuse(withEntry("format", '"x"'))).toContain("was written by a later version of crank");
    expect(refuse(withEntry("novelty/1", "{}"))).toBe(
      'the journal holds "novelty/1", which this version of crank does not know',
    );
  });

  test("that is empty, damaged or meaningless", () => {
    expect(refuse(new Uint8Array())).toBe("the journal is empty");
    expect(refuse(Buffer.from("something else altogether"))).toStartWith("the journal is damaged: ");
    expect(refuse(withEntry("service", "{"))).toStartWith("the journal cannot be read: ");
    const settings = changed(entries, "service", {});
    settings.delete("settings");
    expect(refuse(journalFile({ bootId, pid, entries: settings }))).toBe("the journal has no settings");
  });
});
