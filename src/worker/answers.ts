// Crank's answers on the descriptor NOTIFY_FD to a worker that has sent the number of a descriptor.
import { read } from "node:fs";

/** Crank's answer for a number: null if it has copied the descriptor, otherwise the reason. */
export type Answer = { readonly refused: string | null };

/** A read waits at most 5 s; after this many without an answer, crank is assumed dead. */
const MOST_SILENCES = 2;
const ROOM = 4096;
const NO_ANSWER: Answer = { refused: "crank does not answer" };

const waiting = new Map<number, (answer: Answer) => void>();
let isReading = false;
let silences = 0;

/** Resolves with crank's answer for this number. Nothing else reads the descriptor. */
export const answerTo = (notifyFd: number, number: number): Promise<Answer> => {
  const answer = new Promise<Answer>((resolve) => waiting.set(number, resolve));
  if (!isReading) readOn(notifyFd);
  return answer;
};

/** No request was sent. */
export const forgetAnswer = (number: number): void => answered(number, NO_ANSWER);

const answered = (number: number, answer: Answer): void => {
  const resolve = waiting.get(number);
  waiting.delete(number);
  resolve?.(answer);
};

const readOn = (notifyFd: number): void => {
  isReading = true;
  const bytes = Buffer.alloc(ROOM);
  read(notifyFd, bytes, 0, ROOM, null, (error, length) => {
    isReading = false;
    silences = error ? silences + 1 : 0;
    if (!error) take(bytes.toString("latin1", 0, length));
    // Only the code is looked at.
    const isSilence = error !== null && "code" in error && error.code === "EAGAIN";
    if (error && (!isSilence || silences >= MOST_SILENCES)) giveUp();
    if (waiting.size > 0) readOn(notifyFd);
  });
};

const take = (text: string): void => {
  const said = new Map(
    text.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const number = Number(said.get("FDNUMBER") ?? "-1");
  answered(number, { refused: said.get("FDSTORED") === "1" ? null : (said.get("FDREFUSED") ?? "") });
};

const giveUp = (): void => {
  for (const resolve of waiting.values()) resolve(NO_ANSWER);
  waiting.clear();
};
