#include "cli/files_code.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "crypto/base64.h"
#include "crypto/crc.h"
#include "crypto/fingerprint.h"
#include "ice/candidate.h"

enum { BYTES = 36, LETTERS = 48, FROM_SENDER = 1, FROM_RECEIVER = 2 };

bool pl_files_fingerprint(const char *sdp, uint8_t out[PL_SHA256_LEN])
{
    static const char name[] = "a=fingerprint:sha-256 ";
    const char *at = strstr(sdp, name);
    pl_fingerprint f;
    if (!at)
        return false;
    at += sizeof name - 1;
    if (pl_fingerprint_parse(&f, "sha-256", 7, at, strcspn(at, "\r\n")))
        return false;
    memcpy(out, f.bytes, PL_SHA256_LEN);
    return true;
}

static void write_head(uint8_t head[BYTES], const uint8_t sha256[PL_SHA256_LEN], bool from_sender)
{
    pl_wr w = pl_wr_init(head, BYTES);
    pl_wr_u8(&w, from_sender ? FROM_SENDER : FROM_RECEIVER);
    pl_wr_bytes(&w, sha256, PL_SHA256_LEN);
    pl_wr_u24(&w, pl_crc32(head, 1 + PL_SHA256_LEN) & 0xffffff);
}

pl_err pl_files_code_write(char out[PL_FILES_CODE_MAX], const char *sdp, bool from_sender)
{
    uint8_t sha256[PL_SHA256_LEN], head[BYTES];
    char letters[PL_BASE64_LEN(BYTES) + 1], *line = malloc(PL_ICE_LINE_MAX);
    pl_ice_words *words = malloc(sizeof *words);
    pl_err err = line && words ? PL_OK : PL_ENOMEM;
    if (!err)
        err = pl_files_fingerprint(sdp, sha256) ? pl_ice_words_read(words, sdp) : PL_EPROTO;
    if (!err) {
        words->complete = true;
        err = pl_ice_line_write(words, line) ? PL_OK : PL_ENOSPC;
    }
    if (!err) {
        write_head(head, sha256, from_sender);
        pl_base64_encode(head, sizeof head, letters);
        snprintf(out, PL_FILES_CODE_MAX, PL_FILES_CODE_MARK "%s:%s", letters, line);
    }
    free(words);
    free(line);
    return err;
}

/* 48 letters of base64, whatever a chat has put between them. Returns what stands behind, or NULL. */
static const char *read_letters(const char *at, char out[LETTERS])
{
    for (size_t n = 0; n < LETTERS; at++) {
        bool letter = (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9');
        if (!*at)
            return NULL;
        if (letter || *at == '+' || *at == '/')
            out[n++] = *at;
    }
    return at;
}

static void write_candidates(pl_buf *sdp, const pl_ice_words *words)
{
    for (size_t i = 0; i < words->n; i++) {
        char line[PL_ICE_CAND_TEXT_MAX];
        if (pl_ice_cand_print(&words->cand[i], line, sizeof line))
            pl_buf_addf(sdp, "a=%s\r\n", line);
    }
}

static void write_sdp(pl_buf *sdp, const pl_ice_words *words, const uint8_t sha256[PL_SHA256_LEN],
                      bool from_sender)
{
    pl_fingerprint f = { .alg = PL_HASH_SHA256, .len = PL_SHA256_LEN };
    char hex[PL_FINGERPRINT_TEXT_MAX];
    memcpy(f.bytes, sha256, PL_SHA256_LEN);
    pl_buf_addf(sdp,
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n%s"
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
                "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:%s\r\na=setup:%s\r\na=sctp-port:5000\r\n"
                "a=max-message-size:262144\r\n",
                words->lite ? "a=ice-lite\r\n" : "", words->ufrag, words->pwd, pl_fingerprint_str(&f, hex),
                from_sender ? "actpass" : "active");
    write_candidates(sdp, words);
    pl_buf_addf(sdp, "a=end-of-candidates\r\n");
}

pl_err pl_files_code_read(pl_buf *sdp, const char *text, bool from_sender)
{
    char letters[LETTERS];
    uint8_t head[BYTES], check[BYTES];
    size_t len;
    const char *at = strstr(text, PL_FILES_CODE_MARK);
    at = at ? read_letters(at + sizeof PL_FILES_CODE_MARK - 1, letters) : NULL;
    if (!at)
        return PL_EAGAIN;
    if (!pl_base64_decode(letters, sizeof letters, head, sizeof head, &len) || len != sizeof head)
        return PL_EPROTO;
    write_head(check, head + 1, from_sender);
    if (memcmp(head, check, sizeof head) != 0)
        return PL_EPROTO;
    pl_ice_words *words = malloc(sizeof *words);
    pl_err err = words ? pl_ice_line_read(words, at) : PL_ENOMEM;
    if (!err)
        write_sdp(sdp, words, head + 1, from_sender);
    free(words);
    return err ? err : sdp->bad ? PL_ENOMEM : PL_OK;
}
