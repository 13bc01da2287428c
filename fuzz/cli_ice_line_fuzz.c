/* What people paste: a line of ours or lines of SDP. What was understood is written, and must be understood the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ice_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const pl_ice_cand *a, const pl_ice_cand *b)
{
    return a->priority == b->priority && a->type == b->type && a->proto == b->proto &&
           a->tcptype == b->tcptype && a->addr.port == b->addr.port && strcmp(a->name, b->name) == 0 &&
           pl_addr_ip_eq(&a->addr, &b->addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pl_ice_words words, back;
    static char line[PL_ICE_LINE_MAX];
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (!pl_ice_line_read(&words, text) && pl_ice_line_write(&words, line)) {
        assert(!pl_ice_line_read(&back, line));
        assert(back.n == words.n && back.lite == words.lite && back.complete == words.complete);
        assert(strcmp(back.ufrag, words.ufrag) == 0 && strcmp(back.pwd, words.pwd) == 0);
        for (size_t i = 0; i < words.n; i++)
            assert(same(&back.cand[i], &words.cand[i]));
    }
    free(text);
    return 0;
}
