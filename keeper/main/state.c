#include "main/state.h"

#include "app/environment.h"
#include "app/facts.h"
#include "connections/streams.h"
#include "einhorn/process_title.h"
#include "journal/journal.h"
#include "journal/lock.h"
#include "main/commands.h"
#include "process/defaults.h"
#include "protocol/events.h"
#include "sockets/handles.h"
#include "sockets/heartbeat.h"
#include "sockets/inherited.h"
#include "sockets/names.h"
#include "supervisor/program.h"
#include "supervisor/supervisor.h"
#include "supervisor/tick.h"
#include "worker/kin.h"
#include "worker/watchdog.h"
#include "worker/workers.h"

/* The version stands for this order. Workers and streams come late because they use the parts before them. New fields are a new
 * part with a new version, so that the state of every earlier version can still be read. */
const struct part state_parts[] = {
    {facts_save, facts_load, 1},
    {environment_save, environment_load, 1},
    {inherited_save, inherited_load, 1},
    {program_save, program_load, 1},
    {lock_save, lock_load, 1},
    {journal_save, journal_load, 1},
    {events_save, events_load, 1},
    {handles_save, handles_load, 1},
    {workers_save, workers_load, 1},
    {streams_save, streams_load, 1},
    {tick_save, tick_load, 1},
    {heartbeat_save, heartbeat_load, 1},
    {commands_save, commands_load, 1},
    {supervisor_save, supervisor_load, 1},
    {facts_save_path, facts_load_path, 2},
    {defaults_save, defaults_load, 2},
    {process_title_save, process_title_load, 3},
    {watchdog_save, watchdog_load, 4},
    {worker_main_save, worker_main_load, 4},
    {names_save, names_load, 5},
    {kin_save, kin_load, 5},
    {NULL, NULL, 0},
};
