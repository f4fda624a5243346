// Error numbers of the kernel as words for people.
export { describeErrno } from "../../core/errno.ts";
