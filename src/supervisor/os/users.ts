// The system's user database: users and groups by name or number, from its files, else by the name service's own program.
import { host } from "#host";
import type { Identity } from "../../core/model/spec.ts";
import { orNull, textAt } from "./system-files.ts";

/** A user by login or uid, with the groups that it has in the database; null: there is none. */
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

/** 2^32 - 1 leaves a process its id (setresuid(2)). */
export const MOST_ID = 2 ** 32 - 2;

/** A uid or gid; null where the field is none: an empty one would be root's. */
const idOf = (field = ""): number | null => (/^\d+$/.test(field) && Number(field) <= MOST_ID ? Number(field) : null);

const databaseLine = (database: "passwd" | "group", name: string): readonly string[] | null => {
  const match = linesOf(database).find((fields) => fields[0] === name || fields[2] === name);
  return match ?? askNameService(database, name);
};

/** Users that are not in the files (LDAP, systemd-homed): the name service's own program knows them. */
const askNameService = (database: "passwd" | "group", name: string): readonly string[] | null =>
  answerOf(database, name)?.split(":") ?? null;

const groupsOf = (login: string, primary: number): number[] => {
  const answer = answerOf("initgroups", login);
  const listed = answer === null ? groupsInFile(login) : answer.split(/\s+/).slice(1);
  return [...new Set([primary, ...listed.map(idOf).filter((gid) => gid !== null)])];
};

const LIMIT_MS = 3_000;

/** What getent(1) says, without the line's end; null: it knows nothing of it, or is not there. */
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

/** The fields of each line of a file of the database; none if it cannot be read. */
const linesOf = (database: "passwd" | "group"): readonly (readonly string[])[] =>
  (textAt(`/etc/${database}`) ?? "").split("\n").map((line) => line.split(":"));
