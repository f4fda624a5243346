// The order in which services are deployed: that of the file, except that each comes after those of its `after`.
import { nearest } from "../flags.ts";
import type { Document } from "./document.ts";

type Ordered = { readonly name: string; readonly after: readonly string[] };

/** Sorts the services of a document. Throws ConfigError for an unknown service and for a cycle. */
export const inOrder = <S extends Ordered>(document: Document, services: readonly S[]): readonly S[] => {
  const byName = new Map(services.map((service) => [service.name, service]));
  const sorted = new Set<S>();
  /** The services that are being placed, each because of the one before. */
  const way: string[] = [];
  const place = (service: S): void => {
    if (sorted.has(service)) return;
    const { name } = service;
    const path = ["service", way.at(-1) ?? name, "after"];
    if (way.includes(name))
      throw document.error(path, `after goes in a circle: ${[...way.slice(way.indexOf(name)), name].join(" after ")}`);
    way.push(name);
    for (const before of service.after) place(found(document, byName, name, before));
    way.pop();
    sorted.add(service);
  };
  for (const service of services) place(service);
  return [...sorted];
};

const found = <S>(document: Document, byName: ReadonlyMap<string, S>, name: string, before: string): S => {
  const service = byName.get(before);
  if (service !== undefined) return service;
  const near = nearest(before, [...byName.keys()]);
  const hint = near === null ? "" : `; did you mean ${near}?`;
  throw document.error(["service", name, "after"], `there is no service ${JSON.stringify(before)}${hint}`);
};
