/* Checks at the start which kernel features the keeper needs, so that a missing one gives a clear message. */
#pragma once

#include "app/basics.h"

/* False after it wrote a sentence to stderr, if the keeper cannot run here. Reports missing optional features once. */
bool kernel_serves(void);
