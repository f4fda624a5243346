// Schemas that settings and other parameters of the control protocol are made of. Every message completes a sentence that
// begins with the parameter's name.
import * as v from "valibot";
import { byteLength } from "../host/bytes.ts";
import { BOUNDS } from "./bounds.ts";

/** At most 80 characters, for a message. */
export const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);
/** The same in quotes. */
export const quote = (text: string): string => JSON.stringify(shorten(text));

/** A system's string, and UTF-8: half a surrogate pair would become another character. */
export const isClean = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text);

/** A whole number within bounds. */
export const whole = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
};
/** A string, which may be empty. */
export const text = (maxBytes: number) => {
  const message = `must be a string of at most ${maxBytes} bytes without a zero byte or half a surrogate pair`;
  return v.pipe(
    v.string(message),
    v.check((value) => byteLength(value) <= maxBytes && isClean(value), message),
  );
};

/** A string that is not empty. */
export const word = (maxBytes: number) => {
  const message = `must be a string of 1 to ${maxBytes} bytes without a zero byte or half a surrogate pair`;
  return v.pipe(
    v.string(message),
    v.check((value) => value !== "" && byteLength(value) <= maxBytes && isClean(value), message),
  );
};

/** A program with its arguments. */
export const command = () => {
  const message = `must be a list of 1 to ${BOUNDS.commandWords} strings, the first of them not empty`;
  return v.pipe(
    v.array(text(BOUNDS.argumentBytes), message),
    v.minLength(1, message),
    v.maxLength(BOUNDS.commandWords, message),
    v.check((words) => words[0] !== "", message),
  );
};

/** An absolute path. */
export const directory = () =>
  v.pipe(
    word(BOUNDS.pathBytes),
    v.check((path) => path.startsWith("/"), "must be an absolute path"),
  );

/**
 * An object of any names. `problem` completes the sentence about the first wrong entry. v.record leaves out names such as
 * `constructor`, and a variable must not get lost without an error.
 */
export const table = <T>(
  isValue: (value: unknown) => value is T,
  problem: (entries: Readonly<Record<string, T>>) => string | null,
  shape: string,
) =>
  v.pipe(
    v.custom<Readonly<Record<string, T>>>(
      (value) => isTable(value) && Object.values(value).every(isValue),
      `must be ${shape}`,
    ),
    v.rawCheck(({ dataset, addIssue }) => {
      const message = dataset.typed ? problem(dataset.value) : null;
      if (message !== null) addIssue({ message });
    }),
  );

export const isTable = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
