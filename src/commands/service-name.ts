// The names of services, which are names of files as well.

/** Whether a service may have this name. */
export const isServiceName = (name: string): boolean => /^[^/\s]+$/.test(name) && !name.startsWith(".");
