// HTTP/2 servers that use crank/worker, replaced by a real crank while clients keep their sessions.
import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { waitFor } from "../e2e/harness/wait.ts";
import { Deployment, type Kind } from "./deployment.ts";
import { RUNTIMES } from "./runtimes.ts";

let service: Deployment | undefined;
const sessions: ClientHttp2Session[] = [];
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await service?.bench.clean();
});

const KINDS: readonly Kind[] = ["http2", "http2 over TLS"];

type Session = { readonly session: ClientHttp2Session; wasToldToGo(): boolean; isClosed(): boolean };

const open = async (port: number, kind: Kind): Promise<Session> => {
  const scheme = kind === "http2" ? "http" : "https";
  const session = connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  sessions.push(session);
  let wasTold = false;
  let isClosed = false;
  session.on("goaway", () => {
    wasTold = true;
  });
  session.on("error", () => {});
  session.on("close", () => {
    isClosed = true;
  });
  await waitFor("the session", () => !session.connecting);
  return { session, wasToldToGo: () => wasTold, isClosed: () => isClosed };
};

/** A request and its answer so far. */
const request = (session: ClientHttp2Session, path: string): { heard: string; ended: boolean } => {
  const answer = { heard: "", ended: false };
  const stream = session.request({ ":path": path });
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    answer.heard += text;
  });
  stream.on("error", (error) => {
    answer.heard += String(error);
  });
  stream.on("end", () => {
    answer.ended = true;
  });
  stream.end();
  return answer;
};

describe.each([...RUNTIMES.keys()])("on %s", (runtime) => {
  test.each(KINDS)("a server of node:%s finishes its streams and sends its clients a GOAWAY", async (kind) => {
    service = new Deployment(runtime, kind);
    await service.start({ drain: { graceMs: 50 } });
    const path = join(service.bench.directory, "go-on");
    const resting = await open(service.port, kind);
    const answered = request(resting.session, "/");
    await waitFor("an answer", () => answered.ended);
    expect(answered.heard).toBe("1\n");
    const busy = await open(service.port, kind);
    const answer = request(busy.session, `/until${path}`);
    await waitFor("the first part", () => answer.heard === "first part, ");

    await service.deploy(2);
    await waitFor("the GOAWAYs", () => resting.wasToldToGo() && busy.wasToldToGo());
    await waitFor("the end of the session that rests", () => resting.isClosed());
    const fresh = await open(service.port, kind);
    const later = request(fresh.session, "/");
    await waitFor("an answer of the new worker", () => later.ended);
    expect(later.heard).toBe("2\n");

    expect(answer).toEqual({ heard: "first part, ", ended: false });
    writeFileSync(path, "");
    await waitFor("the second part", () => answer.ended);
    expect(answer.heard).toBe("first part, 1\n");
    await waitFor("the end of the busy session", () => busy.isClosed());
    expect(await service.drained()).toBe("drained: 2 clients, 0 cut off");
  });
});
