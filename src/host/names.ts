// Host names and literal addresses. A static program cannot load the name service's libraries, so getent(1) is run.
import { host } from "#host";
import { HostError } from "./errors.ts";

export type AddressFamily = "any" | "4" | "6";

export const isIpv4 = (text: string): boolean => IPV4.test(text);
const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;

/** RFC 4291, 2.2, without a scope. */
export const isIpv6 = (text: string): boolean => {
  const halves = text.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const groups = halves.flat();
  const last = groups.at(-1) ?? "";
  const endsInIpv4 = isIpv4(last) && text.endsWith(last);
  const count = groups.length + (endsInIpv4 ? 1 : 0);
  const isWhole = halves.length === 1 ? count === 8 : halves.length === 2 && count <= 7;
  return isWhole && (endsInIpv4 ? groups.slice(0, -1) : groups).every((group) => /^[\da-f]{1,4}$/i.test(group));
};

/** The keeper ends a supervisor that does not answer for 10 s. */
const LIMIT_MS = 5_000;
const DATABASES = { any: "ahosts", "4": "ahostsv4", "6": "ahostsv6" } as const;

/**
 * Literal addresses of a host, in the system's order. Rejects with HostError (ENOTFOUND), whose message gives the
 * reason.
 */
export const addressesOf = async (name: string, family: AddressFamily = "any"): Promise<readonly string[]> => {
  if (isIpv4(name) || isIpv6(name.replace(/%\d+$/, ""))) return [name];
  if (!LOOKS_LIKE_A_NAME.test(name)) throw new HostError("ENOTFOUND", "that is no host name");
  const { status, output } = await ask(name, family);
  const addresses = output.split("\n").map((line) => line.split(/\s+/, 1)[0] ?? "");
  const found = [...new Set(addresses.filter((address) => address !== ""))];
  if (status === null) throw new HostError("ENOTFOUND", `no answer within ${LIMIT_MS / 1000} s`);
  if (status !== 0 || found.length === 0) throw new HostError("ENOTFOUND", "no such host");
  return found;
};

/** Excludes what getent would read as an option. */
const LOOKS_LIKE_A_NAME = /^[^-\s][^\s]*$/;

const ask = async (name: string, family: AddressFamily) => {
  try {
    return await host.processes.ask(["getent", DATABASES[family], name], LIMIT_MS);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const why = error.code === "ENOENT" ? "is not installed" : `cannot be executed (${error.code})`;
    throw new HostError("ENOTFOUND", `getent, which looks it up, ${why}; use an address instead of the name`, error);
  }
};
