#include "cli/peer_line.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/base64.h"

static pl_err wrong(pl_peer_line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static pl_err wrong(pl_peer_line *line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(line->error, sizeof line->error, fmt, args);
    va_end(args);
    return PL_EPROTO;
}

static const char *text_of(const pl_peer_line *line, const char *key)
{
    return json_string_value(json_object_get(line->json, key));
}

static pl_err parse_description(pl_peer_line *line)
{
    line->sdp = text_of(line, "sdp");
    return line->sdp ? PL_OK : wrong(line, "\"sdp\" is missing");
}

static pl_err parse_candidate(pl_peer_line *line)
{
    json_t *mline = json_object_get(line->json, "sdpMLineIndex");
    json_int_t index = json_is_integer(mline) ? json_integer_value(mline) : -1;
    line->candidate = (pl_ice_candidate){ .candidate = text_of(line, "candidate"),
                                          .sdp_mid = text_of(line, "sdpMid"),
                                          .sdp_mline_index = index < 0 || index > INT_MAX ? -1 : (int)index,
                                          .username_fragment = text_of(line, "usernameFragment") };
    return line->candidate.candidate ? PL_OK : wrong(line, "\"candidate\" is missing");
}

static pl_err parse_send(pl_peer_line *line)
{
    json_t *text = json_object_get(line->json, "data"), *base64 = json_object_get(line->json, "base64");
    line->label = text_of(line, "label");
    if (json_is_string(text)) {
        line->data = json_string_value(text);
        line->len = json_string_length(text);
        return PL_OK;
    }
    if (!json_is_string(base64))
        return wrong(line, "\"send\" wants \"data\" (text) or \"base64\"");
    size_t n = json_string_length(base64), cap = n / 4 * 3 + 3;
    line->binary = true;
    line->data = line->decoded = malloc(cap);
    if (!line->decoded) {
        (void)wrong(line, "no memory for a message");
        return PL_ENOMEM;
    }
    if (!pl_base64_decode(json_string_value(base64), n, line->decoded, cap, &line->len))
        return wrong(line, "\"base64\" is malformed");
    return PL_OK;
}

static pl_err parse_object(pl_peer_line *line)
{
    static const struct {
        const char *type;
        pl_peer_line_kind kind;
        pl_sdp_type sdp_type;
        pl_err (*parse)(pl_peer_line *line);
    } known[] = {
        { "offer", PL_PEER_LINE_DESCRIPTION, PL_SDP_OFFER, parse_description },
        { "answer", PL_PEER_LINE_DESCRIPTION, PL_SDP_ANSWER, parse_description },
        { "pranswer", PL_PEER_LINE_DESCRIPTION, PL_SDP_PRANSWER, parse_description },
        { "candidate", PL_PEER_LINE_CANDIDATE, PL_SDP_OFFER, parse_candidate },
        { "send", PL_PEER_LINE_SEND, PL_SDP_OFFER, parse_send },
        { "restart-ice", PL_PEER_LINE_RESTART_ICE, PL_SDP_OFFER, NULL },
        { "close", PL_PEER_LINE_CLOSE, PL_SDP_OFFER, NULL },
    };
    const char *type = text_of(line, "type");
    if (!type)
        return wrong(line, "a line wants a \"type\"");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(type, known[i].type) != 0)
            continue;
        line->kind = known[i].kind;
        line->sdp_type = known[i].sdp_type;
        return known[i].parse ? known[i].parse(line) : PL_OK;
    }
    return wrong(line, "there is no line of type \"%s\"", type);
}

pl_err pl_peer_line_parse(pl_peer_line *out, const char *text, size_t len)
{
    json_error_t why;
    *out = (pl_peer_line){ .json = json_loadb(text, len, JSON_ALLOW_NUL, &why) };
    return out->json ? parse_object(out) : wrong(out, "not JSON: %s", why.text);
}

void pl_peer_line_clear(pl_peer_line *line)
{
    json_decref(line->json);
    free(line->decoded);
    *line = (pl_peer_line){ 0 };
}
