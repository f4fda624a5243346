/* The base environment: the keeper's own at its start, plus later changes. A process gets it with the process's own changes. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

void environment_start(char **from);
/* Changes the base. */
void environment_set(const struct list *pairs, const struct list *unset);
/* Appends a list of texts NAME=VALUE: the base without the unset names, plus the pairs. */
void environment_build(struct buffer *out, const struct list *pairs, const struct list *unset);
/* Replaces the base with this list of texts NAME=VALUE. */
void environment_replace(const struct list *texts);

void environment_save(struct buffer *out);
bool environment_load(struct reader *in);
