// A fixture that each test of a file gets for itself.
import { afterEach, beforeEach } from "bun:test";

type Fixture = { open(): void | Promise<void>; clean(): Promise<void> };

/** Opens a fixture before each test of the file, or of the group in which this is called, and cleans it up after each. */
export const eachTest = <T extends Fixture>(fixture: T): T => {
  beforeEach(() => fixture.open());
  afterEach(() => fixture.clean());
  return fixture;
};
