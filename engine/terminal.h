/* Restores the terminal when a fault or a signal ends the process and TypeScript no longer runs. */
#ifndef ENGINE_TERMINAL_H
#define ENGINE_TERMINAL_H

/* Ends raw mode and writes the undo text, if this process is still in the terminal's foreground. Async-signal-safe. */
void terminal_give_back(void);

#endif
