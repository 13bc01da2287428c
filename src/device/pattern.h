/* pattern.h - a moving test picture that carries its own number, so that whoever receives it can tell which
 * frames came, in which order, and how old they are. The top twelfth of the picture is a bar of 32 black or
 * white cells: 24 bits of the frame number, most significant first, then 8 bits of check sum. It survives
 * coding and halving. */
#ifndef PL_DEVICE_PATTERN_H
#define PL_DEVICE_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/picture.h"

enum { PL_PATTERN_SIDE_MIN = 64 };

/* number: modulo 2^24. The picture must be at least PL_PATTERN_SIDE_MIN on each side. */
void pl_pattern_draw(pl_picture *pic, uint32_t number);
/* False when the bar cannot be read. */
bool pl_pattern_read(const pl_picture *pic, uint32_t *number);

#endif
