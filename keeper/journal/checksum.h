/* CRC-32 of IEEE 802.3 and zlib, for the journal's records. */
#ifndef KEEPER_JOURNAL_CHECKSUM_H
#define KEEPER_JOURNAL_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint32_t checksum(const uint8_t *bytes, size_t length);

#endif
