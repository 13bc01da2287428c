/* files.h - the descriptions of real peers in tests/data/sdp. */
#ifndef PL_TESTS_SDP_FILES_H
#define PL_TESTS_SDP_FILES_H

#include <stdio.h>
#include <stdlib.h>

static const char *const sdp_peer[] = { "aiortc", "chromium", "firefox", "gstreamer", "pion", "wrtc" };
enum { SDP_PEERS = 6 };

/* The text of tests/data/sdp/<peer>-av-<type>.sdp, to be freed. */
static inline char *sdp_file(const char *peer, const char *type, size_t *len)
{
    char path[512];
    snprintf(path, sizeof path, "%s/sdp/%s-av-%s.sdp", PL_TEST_DATA, peer, type);
    FILE *f = fopen(path, "rb");
    if (!f) {
        print_error("%s is missing\n", path);
        abort();
    }
    char *text = malloc(65536);
    *len = fread(text, 1, 65535, f);
    text[*len] = 0;
    fclose(f);
    return text;
}

#endif
