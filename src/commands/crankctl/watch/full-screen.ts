// watch on a terminal: which page is shown, what the keys do, and when to draw.
import { host } from "#host";
import type { Timer } from "../../../host/clock.ts";
import type { Output } from "../../output.ts";
import { escapeControls } from "../../terminal.ts";
import type { Feed } from "./feed.ts";
import { isOrder, type Key, keysIn, type Order, perform, questionOf } from "./keys.ts";
import { listPage } from "./list-page.ts";
import { Screen } from "./screen.ts";
import { lastScroll, linkLines, servicePage } from "./service-page.ts";
import { drawLine, type Line, type Style } from "./text.ts";

/** Minimum time between two drawings, ms: on a slow line each drawing must arrive before the next. */
const DRAW_EVERY_MS = 100;
/** Times and spans change even without events. */
const CLOCK_MS = 1000;
/** How long the result of a key is shown, unless another key is typed, ms. */
const MESSAGE_MS = 10_000;

type Page = { readonly kind: "list" } | { readonly kind: "service"; readonly feed: Feed; readonly scroll: number };

/** The pages on a terminal, from taking it over to restoring it. */
export class FullScreen {
  readonly #screen: Screen;
  readonly #look: Style;
  /** Sorted by name; it grows and shrinks if all services of a prefix are watched. */
  #feeds: readonly Feed[] = [];
  readonly #isList: boolean;
  #page: Page = { kind: "list" };
  #chosen = 0;
  #question: { readonly text: string; readonly feed: Feed; readonly order: Order } | null = null;
  #message: { readonly text: string; readonly at: number } | null = null;
  #drawing: Timer | null = null;
  #finish: (status: number) => void = () => {};

  /** `only`: there is one service, and no list. */
  constructor(out: Output, look: Style, only: Feed | null) {
    this.#look = look;
    this.#isList = only === null;
    if (only !== null) {
      this.#feeds = [only];
      this.#page = { kind: "service", feed: only, scroll: 0 };
    }
    this.#screen = new Screen(out, {
      typed: (text) => {
        for (const key of keysIn(text)) this.#press(key);
        this.changed();
      },
      changed: () => this.#draw(),
      ended: (status) => this.#finish(status),
    });
  }

  /** Runs until the user quits; returns the exit status. */
  async run(): Promise<number> {
    const ended = new Promise<number>((resolve) => {
      this.#finish = resolve;
    });
    const clock = host.clock.every(CLOCK_MS, () => this.changed());
    try {
      this.#screen.open();
      this.#draw();
      return await ended;
    } finally {
      clock.cancel();
      this.#drawing?.cancel();
      this.#screen.close();
    }
  }

  show(feeds: readonly Feed[]): void {
    this.#feeds = feeds;
    this.#chosen = Math.max(0, Math.min(this.#chosen, feeds.length - 1));
    this.changed();
  }

  /** The screen may be out of date. */
  changed(): void {
    this.#drawing ??= host.clock.after(DRAW_EVERY_MS, () => {
      this.#drawing = null;
      this.#draw();
    });
  }

  #draw(): void {
    const { columns, rows } = this.#screen.size;
    const frame = { columns, rows: rows - 1, look: this.#look };
    const page = this.#page;
    const lines =
      page.kind === "list"
        ? listPage(
            this.#feeds.map((feed) => feed.view),
            frame,
            this.#chosen,
          )
        : servicePage(page.feed.view, frame, page.scroll);
    const padding = Array.from({ length: Math.max(0, frame.rows - lines.length) }, (): Line => []);
    const all = [...lines, ...padding, this.#footer(columns)].slice(-rows);
    this.#screen.draw(all.map((line) => drawLine(line, columns, this.#look)));
  }

  #footer(columns: number): Line {
    if (this.#question !== null) return [[this.#question.text, "warn"]];
    if (this.#message !== null && host.clock.monotonicNow() < this.#message.at + MESSAGE_MS)
      return [[this.#message.text, "title"]];
    const back = this.#page.kind === "list" ? "Enter open" : this.#isList ? "Esc back" : "";
    const long = ["r reload", "+ - scale", "b rollback", "j k move", back, "q quit"].filter((word) => word !== "");
    return [[columns < 60 ? "r + - b j k q" : long.join("   "), "dim"]];
  }

  #press(key: Key): void {
    this.#message = null;
    const question = this.#question;
    if (question !== null) {
      this.#question = null;
      if (key === "yes") this.#do(question.feed, question.order);
      else this.#say("Cancelled");
      if (key !== "quit" && key !== "suspend") return;
    }
    if (key === "quit") this.#finish(0);
    else if (key === "suspend") this.#screen.suspend();
    else if (isOrder(key)) this.#order(key);
    else this.#move(key);
  }

  #move(key: Key): void {
    const step = key === "up" ? -1 : key === "down" ? 1 : 0;
    const page = this.#page;
    if (page.kind === "service") {
      const scroll = Math.max(0, Math.min(lastScroll(page.feed.view), page.scroll + step));
      this.#page = key === "back" && this.#isList ? { kind: "list" } : { ...page, scroll };
      return;
    }
    this.#chosen = Math.max(0, Math.min(this.#feeds.length - 1, this.#chosen + step));
    const feed = this.#feeds[this.#chosen];
    if (key === "enter" && feed !== undefined) this.#page = { kind: "service", feed, scroll: 0 };
  }

  #say(text: string): void {
    this.#message = { text, at: host.clock.monotonicNow() };
    this.changed();
  }

  #order(order: Order): void {
    const feed = this.#page.kind === "service" ? this.#page.feed : this.#feeds[this.#chosen];
    if (feed === undefined) return;
    if (linkLines(feed.view).length > 0) {
      this.#say(`${escapeControls(feed.view.name)} is unreachable`);
      return;
    }
    const text = questionOf(order, feed.view);
    if (text === null) this.#do(feed, order);
    else this.#question = { text, feed, order };
  }

  #do(feed: Feed, order: Order): void {
    this.#say("Asked");
    feed.perform(perform(order)).then(
      (answer) => {
        this.#say(escapeControls(`${feed.view.name}: ${answer}`));
      },
      (error: unknown) => {
        // Like any other exception: leave the screen, then print it.
        queueMicrotask(() => {
          throw error;
        });
      },
    );
  }
}
