// Giving memory back at rest: the runtime's text pages through a native function (trim/trim.c), where there is one.

type Trim = () => void;

let trim: Trim | null | undefined;

/** Hands back what the next event will hardly need. `home` is where crank is installed; without the add-on nothing happens. */
export const trimMemory = (home: string): void => {
  trim ??= load(`${home}/bin/trim.node`);
  trim?.();
};

/** Only Bun's program is laid out so that it pays (a fixed address, 80 MB of text); null anywhere else. */
const load = (path: string): Trim | null => {
  if (process.versions.bun === undefined) return null;
  const addon: { exports: unknown } = { exports: {} };
  try {
    process.dlopen(addon, path);
  } catch {
    return null;
  }
  // What the add-on exports is its one function (trim/trim.c); anything else is not called.
  return typeof addon.exports === "function" ? (addon.exports as Trim) : null;
};
