// The system's user database: users and groups by name or number, from its files, or else from getent(1).
import { host } from "#host";
import type { Identity } from "../../core/model/spec.ts";
import { orNull, textAt } from "./system-files.ts";

/** A user by login or uid, with its groups; null: there is none. */
export const findUser = (name: string): Identity | null => {
  const fields = databaseLine("passwd", name);
  if (!fields) return null;
  const [login = name, , uid, gid, , home = "/", shell = ""] = fields;
  const [user, group] = [idOf(uid), idOf(gid)];
  if (user === null || group === null) return null;
  // passwd(5): an empty field is the standard shell.
  return { name: login, uid: user, gid: group, groups: groupsOf(login, group), home, shell: shell || "/bin/sh" };
};

/** The gid of a group by name or number; null: there is none. */
export const findGroup = (name: string): number | null => {
  const fields = databaseLine("group", name);
  return fields ? idOf(fields[2]) : null;
};

/** 2^32 - 1 means "unchanged" to setresuid(2). */
export const MOST_ID = 2 ** 32 - 2;

/** A uid or gid; null if the field is not one: an empty field must not become 0, which is root. */
const idOf = (field = ""): number | null => (/^\d+$/.test(field) && Number(field) <= MOST_ID ? Number(field) : null);

const databaseLine = (database: "passwd" | "group", name: string): readonly string[] | null => {
  const match = linesOf(database).find((fields) => fields[0] === name || fields[2] === name);
  return match ?? askNameService(database, name);
};

/** Users that are not in the files (LDAP, systemd-homed): getent(1) finds them. */
const askNameService = (database: "passwd" | "group", name: string): readonly string[] | null =>
  answerOf(database, name)?.split(":") ?? null;

const groupsOf = (login: string, primary: number): number[] => {
  const answer = answerOf("initgroups", login);
  const listed = answer === null ? groupsInFile(login) : answer.split(/\s+/).slice(1);
  return [...new Set([primary, ...listed.map(idOf).filter((gid) => gid !== null)])];
};

const LIMIT_MS = 3_000;

/** The output of getent(1), without the newline; null: not found, or getent is missing. */
const answerOf = (database: "passwd" | "group" | "initgroups", name: string): string | null => {
  const answer = orNull(() => host.processes.askNow(["getent", database, "--", name], LIMIT_MS));
  return answer?.status === 0 ? answer.output.trim() : null;
};

/** Whether getent(1) can be executed. */
export const canAskForUsers = (): boolean =>
  orNull(() => host.processes.askNow(["getent", "--version"], LIMIT_MS)) !== null;

const groupsInFile = (login: string): string[] =>
  linesOf("group")
    .filter((fields) => (fields[3] ?? "").split(",").includes(login))
    .map((fields) => fields[2] ?? "");

/** The fields of each line of a database file; empty if it cannot be read. */
const linesOf = (database: "passwd" | "group"): readonly (readonly string[])[] =>
  (textAt(`/etc/${database}`) ?? "").split("\n").map((line) => line.split(":"));
