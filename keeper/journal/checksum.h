/* CRC-32 of IEEE 802.3 and zlib, for the journal's records. */
#pragma once

#include "app/basics.h"

uint32_t checksum(const uint8_t *bytes, size_t length);
