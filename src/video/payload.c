#include "video/payload.h"

#include <strings.h>

static const pl_payload_format *const all[] = { &pl_payload_vp8 };

const pl_payload_format *pl_payload_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcasecmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
