/* Lines on standard input: any bytes, cut at line ends as the reader cuts them. What is accepted has what its kind
 * promises; text and binary come back from their encoding equal. */
#include <stdlib.h>
#include <string.h>

#include "cli/peer_line.h"
#include "crypto/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

static void check_send(const pl_peer_line *line)
{
    must(line->data != NULL);
    if (!line->binary)
        return;
    char *text = malloc(PL_BASE64_LEN(line->len) + 1);
    uint8_t *back = malloc(line->len + 3);
    size_t len;
    must(text && back);
    size_t n = pl_base64_encode(line->data, line->len, text);
    must(pl_base64_decode(text, n, back, line->len + 3, &len));
    must(len == line->len && memcmp(back, line->data, len) == 0);
    free(text);
    free(back);
}

static void one_line(const char *text, size_t len)
{
    pl_peer_line line;
    pl_err err = pl_peer_line_parse(&line, text, len);
    must((err != PL_OK) == (line.error[0] != 0));
    must(strlen(line.error) < sizeof line.error);
    if (err == PL_OK) {
        must(line.kind != PL_PEER_LINE_NONE);
        must(line.kind != PL_PEER_LINE_DESCRIPTION || line.sdp);
        must(line.kind != PL_PEER_LINE_CANDIDATE ||
             (line.candidate.candidate && line.candidate.sdp_mline_index >= -1));
        if (line.kind == PL_PEER_LINE_SEND)
            check_send(&line);
    }
    pl_peer_line_clear(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        if (len)
            one_line(at, len);
        at += len + 1;
    }
    return 0;
}
