// The service's times for people: its clock and its zone are in the text, so this machine's zone is never asked.
const PARTS = /^\d{4,6}-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(\.\d{3})/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** An ISO 8601 time as crank marks the lines that it passes on: `Jan  2 15:04:05.000`. Another text is returned unchanged. */
export const logTime = (time: string): string => {
  const [, month, day, clock, thousandths] = PARTS.exec(time) ?? [];
  return clock === undefined
    ? time
    : `${MONTHS[Number(month) - 1] ?? "?"} ${String(Number(day)).padStart(2)} ${clock}${thousandths}`;
};

/** `15:04:05` */
export const clockTime = (time: string): string => PARTS.exec(time)?.[3] ?? time;
