/* Watches names by inotify(7), and restores them. */
#pragma once

#include "sockets/name.h"

/* Checks the name now and plans the next check. `by_itself`: after an event. */
void name_watch_attend(struct name *name, bool by_itself);
/* Creates the spare name: at `wanted`, or next to the file if that is on another file system. */
void name_watch_make_spare(struct name *name, const char *wanted);
bool name_watch_leads_to_it(const struct name *name, const char *path);
/* Ends its watches. */
void name_watch_end(struct name *name);
/* For a change of the keeper's own, which causes no event. Returns whether it was watched. */
bool name_watch_suspend(struct name *name);
void name_watch_resume(struct name *name);
/* The planned checks have changed. */
void name_watch_set_deadline(void);
