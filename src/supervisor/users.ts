// The system's user database: users and groups by name or number, from its files, else by the name service's own program.
import { host } from "#host";
import type { Identity } from "../core/spec.ts";
import { orNull, textAt } from "./system-files.ts";

/** A user by login or uid, with the groups that it has in the database; null: there is none. */
export const findUser = (name: string): Identity | null => {
  const fields = databaseLine("passwd", name);
  if (!fields) return null;
  const [login = name, , uid, gid, , home = "/", shell = ""] = fields;
  const groups = groupsOf(login, Number(gid));
  // passwd(5): an empty field is the standard shell.
  return { name: login, uid: Number(uid), gid: Number(gid), groups, home, shell: shell === "" ? "/bin/sh" : shell };
};

/** The gid of a group by name or number; null: there is none. */
export const findGroup = (name: string): number | null => {
  const fields = databaseLine("group", name);
  return fields ? Number(fields[2]) : null;
};

const databaseLine = (database: "passwd" | "group", name: string): readonly string[] | null => {
  const match = linesOf(database).find((fields) => fields[0] === name || fields[2] === name);
  return match ?? askNameService(database, name);
};

/** Users that are not in the files (LDAP, systemd-homed): the name service's own program knows them. */
const askNameService = (database: "passwd" | "group", name: string): readonly string[] | null =>
  answerOf(database, name)?.split(":") ?? null;

const groupsOf = (login: string, primary: number): number[] => {
  const answer = answerOf("initgroups", login);
  const listed = answer === null ? groupsInFile(login) : answer.split(/\s+/).slice(1).map(Number);
  return [...new Set([primary, ...listed.filter(Number.isInteger)])];
};

const LIMIT_MS = 3_000;

/** What getent(1) says, without the line's end; null: it knows nothing of it, or is not there. */
const answerOf = (database: "passwd" | "group" | "initgroups", name: string): string | null => {
  const answer = orNull(() => host.processes.askNow(["getent", database, "--", name], LIMIT_MS));
  return answer?.status === 0 ? answer.output.trim() : null;
};

const groupsInFile = (login: string): number[] =>
  linesOf("group")
    .filter((fields) => (fields[3] ?? "").split(",").includes(login))
    .map((fields) => Number(fields[2]));

/** The fields of each line of a file of the database; none if it cannot be read. */
const linesOf = (database: "passwd" | "group"): readonly (readonly string[])[] =>
  (textAt(`/etc/${database}`) ?? "").split("\n").map((line) => line.split(":"));
