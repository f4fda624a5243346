/* Giving the terminal back when the process ends on a fault, and nothing in TypeScript runs any more. */
#ifndef ENGINE_TERMINAL_H
#define ENGINE_TERMINAL_H

/* Ends raw mode and writes what undoes the screen, if the terminal is still this process's to change. Async-signal-safe. */
void terminal_give_back(void);

#endif
