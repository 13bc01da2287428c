#include "session/words.h"

#include <string.h>

static pl_words_kind kind_of(const json_t *o, const char *type)
{
    static const struct {
        const char *type;
        pl_words_kind kind;
        bool described;
    } known[] = { { "offer", PL_WORDS_OFFER, true },
                  { "answer", PL_WORDS_ANSWER, true },
                  { "bye", PL_WORDS_BYE, false } };
    bool described = json_is_string(json_object_get(o, "sdp"));
    for (size_t i = 0; type && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(type, known[i].type) == 0 && (described || !known[i].described))
            return known[i].kind;
    }
    if (json_is_string(json_object_get(o, "candidate")))
        return PL_WORDS_CANDIDATE;
    return !type && json_is_true(json_object_get(o, "ringing")) ? PL_WORDS_RINGING : PL_WORDS_OTHER;
}

static pl_session_reason reason_of(const json_t *o)
{
    const char *word = json_string_value(json_object_get(o, "reason"));
    return !word                           ? PL_SESSION_HUNG_UP
           : strcmp(word, "busy") == 0     ? PL_SESSION_BUSY
           : strcmp(word, "declined") == 0 ? PL_SESSION_DECLINED
                                           : PL_SESSION_HUNG_UP;
}

pl_err pl_words_read(pl_words *w, const char *text, size_t len)
{
    *w = (pl_words){ .kind = PL_WORDS_BYE, .reason = PL_SESSION_HUNG_UP };
    if (len == 3 && memcmp(text, "BYE", 3) == 0) /* the classic client's way */
        return PL_OK;
    w->json = json_loadb(text, len, 0, NULL);
    if (!json_is_object(w->json)) {
        pl_words_clear(w);
        return PL_EPROTO;
    }
    json_t *json = w->json;
    pl_words_of(w, json);
    w->json = json;
    if (json_object_get(json, "for"))
        w->kind = PL_WORDS_OTHER;
    return PL_OK;
}

/* -1 when it is none, as W3C's unsigned short. */
static int index_of(const json_t *mline)
{
    json_int_t n = json_is_integer(mline) ? json_integer_value(mline) : -1;
    return n >= 0 && n <= UINT16_MAX ? (int)n : -1;
}

void pl_words_of(pl_words *w, const json_t *o)
{
    *w = (pl_words){ .kind = kind_of(o, json_string_value(json_object_get(o, "type"))),
                     .sdp = json_string_value(json_object_get(o, "sdp")),
                     .reason = reason_of(o),
                     .cand = { json_string_value(json_object_get(o, "candidate")),
                               json_string_value(json_object_get(o, "sdpMid")),
                               index_of(json_object_get(o, "sdpMLineIndex")),
                               json_string_value(json_object_get(o, "usernameFragment")) } };
}

void pl_words_clear(pl_words *w)
{
    json_decref(w->json);
    *w = (pl_words){ .kind = PL_WORDS_OTHER };
}

/* Takes o. */
static char *text_of(json_t *o, json_t *tags)
{
    bool well = o && (!tags || json_object_update(o, tags) == 0);
    char *text = well ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

char *pl_words_description(pl_sdp_type type, const char *sdp, json_t *tags)
{
    return text_of(json_pack("{ss ss}", "type", pl_sdp_type_str(type), "sdp", sdp), tags);
}

char *pl_words_candidate(const pl_ice_candidate *c, json_t *tags)
{
    json_t *o = json_pack("{ss ss*}", "candidate", c->candidate, "sdpMid", c->sdp_mid);
    if (o && c->sdp_mline_index >= 0)
        json_object_set_new(o, "sdpMLineIndex", json_integer(c->sdp_mline_index));
    if (o && c->username_fragment)
        json_object_set_new(o, "usernameFragment", json_string(c->username_fragment));
    return text_of(o, tags);
}

char *pl_words_ringing(json_t *tags)
{
    return text_of(json_pack("{sb}", "ringing", 1),
                   tags); /* without a type: others would take it for a description */
}

char *pl_words_bye(pl_session_reason reason, json_t *tags)
{
    const char *word = reason == PL_SESSION_BUSY ? "busy" : reason == PL_SESSION_DECLINED ? "declined" : NULL;
    return text_of(json_pack("{ss ss*}", "type", "bye", "reason", word), tags);
}
