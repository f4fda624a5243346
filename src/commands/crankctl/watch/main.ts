// crankctl watch: finds the services, chooses between the full screen and lines, and ends cleanly.
import { host } from "#host";
import { type ControlAddress, connect } from "../../../control/client.ts";
import { HostError } from "../../../host/errors.ts";
import { ACCESS } from "../../../host/files.ts";
import type { Output } from "../../output.ts";
import { findServices } from "../../services.ts";
import { escapeControls } from "../../terminal.ts";
import type { Environment, Session } from "../session.ts";
import { describeEvent } from "../streams/event-text.ts";
import { Feed } from "./feed.ts";
import { FullScreen } from "./full-screen.ts";
import { summaryLine } from "./service-page.ts";
import type { Style } from "./text.ts";

/** The watched services: one, or all whose control sockets begin with `prefix`, as in crankx. */
export type Watched =
  | { readonly kind: "one"; readonly name: string; readonly address: ControlAddress }
  | { readonly kind: "all"; readonly prefix: string; readonly directories: readonly string[] };

/** How often new control sockets are looked for, ms. */
const LOOK_MS = 2000;

/** Runs until the user quits; returns the exit status. */
export const watchUntilQuit = async (watched: Watched, environment: Environment, session: Session): Promise<number> => {
  // A mistyped name is an error, as in every other command: only a crank that was reachable before is waited for.
  if (watched.kind === "one") (await connect(watched.address, () => {})).close();
  else if (!watched.directories.some(isThere)) {
    const missing = escapeControls(watched.directories.join(" or "));
    session.err.write(`crankctl watch: ${missing}: no such directory. Give another with -prefix.\n`);
    return 1;
  }
  const reason = whyNotFullScreen(session.out, environment);
  if (reason !== null && reason !== "") session.err.write(`${reason}\n`);
  return reason === null ? onScreen(watched, lookOf(environment), session.out) : asLines(watched, session.out);
};

const isThere = (path: string): boolean => {
  try {
    host.files.access(path, ACCESS.exists);
    return true;
  } catch {
    return false;
  }
};

/** Terminals that support the sequences of screen.ts, by the beginning of TERM; suffixes such as `-256color` may follow. */
const KNOWN_TERMINALS =
  /^(alacritty|ansi|contour|cygwin|eterm|foot|ghostty|gnome|iterm|kitty|konsole|linux|mintty|ms-terminal|nsterm|putty|rio|rxvt|screen|st|tmux|vt[1-5]\d\d|vte|wezterm|xterm)\b/i;

/** Null if it can be used; "" without a terminal; otherwise the reason. */
const whyNotFullScreen = (out: Output, { TERM = "" }: Environment): string | null => {
  if (!out.isTerminal) return "";
  if (KNOWN_TERMINALS.test(TERM)) return null;
  const type = TERM === "" ? "TERM is not set" : `TERM is ${escapeControls(JSON.stringify(TERM))}`;
  return `crankctl watch: ${type}, which is unknown: showing lines. (TERM=xterm crankctl watch tries the full screen.)`;
};

/** https://no-color.org: any text but the empty one. Locale: the first of these that is set (locale(7)). */
const lookOf = ({ NO_COLOR, LC_ALL, LC_CTYPE, LANG }: Environment): Style => ({
  colour: (NO_COLOR ?? "") === "",
  utf8: /utf-?8/i.test([LC_ALL, LC_CTYPE, LANG].find((value) => (value ?? "") !== "") ?? ""),
});

const onScreen = async (watched: Watched, look: Style, out: Output): Promise<number> => {
  // The feeds notify a screen that is created after the first feed.
  let screen: FullScreen | null = null;
  const feeds = new Feeds("told", () => screen?.changed());
  const only = watched.kind === "one" ? feeds.add(watched.name, watched.address) : null;
  const full = new FullScreen(out, look, only);
  screen = full;
  try {
    return await during(
      watched,
      feeds,
      () => full.show(feeds.all),
      () => full.run(),
    );
  } finally {
    feeds.stop();
  }
};

/** A line for each event, and one for each service when its summary has changed. */
const asLines = async (watched: Watched, out: Output): Promise<number> => {
  const printed = new Map<Feed, { summary: string; seq: number }>();
  let finish: (status: number) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const ended = new Promise<number>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  const print = (feed: Feed): void => {
    const before = printed.get(feed) ?? { summary: "", seq: -1 };
    for (const entry of feed.view.events) {
      if (entry.seq <= before.seq) continue;
      out.writeNow(`${escapeControls(`${feed.view.name}: ${describeEvent(entry)}`)}\n`);
      before.seq = entry.seq;
    }
    const summary = summaryLine(feed.view);
    if (summary !== before.summary) out.writeNow(`${summary}\n`);
    printed.set(feed, { summary, seq: before.seq });
    if (!out.hasReader) finish(0);
  };
  const feeds = new Feeds("left out", (feed) => {
    // The caller does not wait for the end.
    try {
      print(feed);
    } catch (error) {
      fail(error);
    }
  });
  if (watched.kind === "one") feeds.add(watched.name, watched.address);
  try {
    return await during(
      watched,
      feeds,
      () => {},
      () => ended,
    );
  } finally {
    feeds.stop();
  }
};

/** Searches for services repeatedly while `work` runs. */
const during = async (
  watched: Watched,
  feeds: Feeds,
  found: () => void,
  work: () => Promise<number>,
): Promise<number> => {
  if (watched.kind === "one") return await work();
  const look = (): void => {
    feeds.keep(findServices(watched.prefix, watched.directories));
    found();
  };
  look();
  const looking = host.clock.every(LOOK_MS, () => {
    try {
      look();
    } catch (error) {
      // The directory may be created again; a service whose socket is not listed any more was removed.
      if (!(error instanceof HostError)) throw error;
    }
  });
  try {
    return await work();
  } finally {
    looking.cancel();
  }
};

class Feeds {
  readonly #past: "told" | "left out";
  readonly #changed: (feed: Feed) => void;
  readonly #feeds = new Map<string, Feed>();

  constructor(past: "told" | "left out", changed: (feed: Feed) => void) {
    this.#past = past;
    this.#changed = changed;
  }

  /** By name. */
  get all(): readonly Feed[] {
    return [...this.#feeds.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, feed]) => feed);
  }

  add(name: string, address: ControlAddress): Feed {
    const feed: Feed = new Feed(name, address, this.#past, () => this.#changed(feed));
    this.#feeds.set(name, feed);
    feed.start();
    return feed;
  }

  /** Watches exactly these services. */
  keep(services: readonly { readonly name: string; readonly path: string }[]): void {
    for (const [name, feed] of this.#feeds) {
      if (services.some((service) => service.name === name)) continue;
      feed.stop();
      this.#feeds.delete(name);
    }
    for (const { name, path } of services) if (!this.#feeds.has(name)) this.add(name, { kind: "unix", path });
  }

  stop(): void {
    for (const feed of this.#feeds.values()) feed.stop();
  }
}
