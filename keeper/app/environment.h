/* The base environment: what the keeper was started with, and changes to it. What a process gets is that, with its own changes. */
#ifndef KEEPER_APP_ENVIRONMENT_H
#define KEEPER_APP_ENVIRONMENT_H

#include <stdbool.h>

#include "protocol/wire.h"

void environment_start(char **from);
/* Changes the base. */
void environment_set(const struct list *pairs, const struct list *unset);
/* Appends a list of texts NAME=VALUE: the base without what is unset, and with the pairs. */
void environment_build(struct buffer *out, const struct list *pairs, const struct list *unset);
/* Takes these (a list of texts NAME=VALUE) for the base. */
void environment_replace(const struct list *texts);

void environment_save(struct buffer *out);
bool environment_load(struct reader *in);

#endif
