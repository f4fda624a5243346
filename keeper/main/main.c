/* One program with many names: the keeper, its probe, its measuring, and the commands that are links to it. */

#include "app/facts.h"
#include "helpers/measure.h"
#include "helpers/probe.h"
#include "main/keeper.h"
#include "main/programs.h"
#include "supervisor/program.h"

/* execve(2) permits an empty argument list, even without a name; Linux 5.18 and later add an empty one. */
static char *unnamed[] = {(char[]){""}, NULL};

int main(int argc, char **argv) {
  if (argc < 1) {
    argc = 1;
    argv = unnamed;
  }
  const char *name = facts_name(argv[0]);
  if (strcmp(argv[0], PROBE_NAME) == 0) probe_run(argc, argv);
  if (strcmp(argv[0], MEASURE_NAME) == 0) measure_run(argc, argv);
  if (strcmp(argv[0], SUPERVISOR_NAME) == 0 || strcmp(name, FORMER_SUPERVISOR_NAME) == 0) programs_supervisor(argc, argv);
  if (!programs_is_keeper(name)) programs_command(name, argc, argv);
  /* The arguments with which an upgrade calls the new program. Both come from einhorn, so wrapper scripts know them. */
  if (argc > 1 && strcmp(argv[1], "--upgrade-check") == 0) programs_check(name, argc, argv);
  if (argc > 2 && strcmp(argv[1], "--with-state-fd") == 0 && programs_join(argv[2])) programs_joined_supervisor(name, argc, argv);
  keeper_run(argc, argv);
}
