#include "desc/jsep.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "desc/jsep_internal.h"

/* --- the object -------------------------------------------------------------------------------------------
 */

void pl_jsep_make_creds(const pl_jsep *j, pl_jsep_creds *out)
{
    pl_rand_ice_chars(&j->conf.rand, out->ufrag, PL_JSEP_UFRAG_LEN);
    pl_rand_ice_chars(&j->conf.rand, out->pwd, PL_JSEP_PWD_LEN);
}

void pl_jsep_next_creds(pl_jsep *j, const char *now, pl_jsep_creds *out)
{
    if (!j->next.ufrag[0] || strcmp(j->next.ufrag, now) == 0)
        pl_jsep_make_creds(j, &j->next);
    *out = j->next;
}

static pl_err keep_fingerprints(pl_jsep *j, const pl_jsep_conf *conf)
{
    pl_desc *d;
    pl_err err = pl_desc_new(&d);
    if (err)
        return err;
    pl_desc_media *m = pl_desc_add_media(d, PL_DESC_APPLICATION);
    for (size_t i = 0; m && i < conf->n_fingerprints; i++) {
        pl_desc_fingerprint *f = pl_desc_add_fingerprint(d, m);
        if (!f)
            break;
        f->hash = pl_desc_textz(d, conf->fingerprints[i].hash);
        f->value = pl_desc_textz(d, conf->fingerprints[i].value);
    }
    err = pl_desc_copy(&j->self, d);
    pl_desc_free(d);
    return err;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

pl_err pl_jsep_new(pl_jsep **out, const pl_jsep_conf *conf)
{
    *out = NULL;
    if (conf->n_fingerprints == 0 || conf->n_fingerprints > PL_DESC_FINGERPRINTS_MAX ||
        conf->kind[0].n_codecs > PL_DESC_CODECS_MAX || conf->kind[1].n_codecs > PL_DESC_CODECS_MAX ||
        conf->kind[0].n_exts > PL_DESC_EXTS_MAX || conf->kind[1].n_exts > PL_DESC_EXTS_MAX ||
        (conf->mid_prefix && !is_letter(conf->mid_prefix)))
        return PL_EINVAL;
    pl_jsep *j = calloc(1, sizeof *j);
    if (!j)
        return PL_ENOMEM;
    j->conf = *conf;
    j->conf.fingerprints = NULL;
    if (!j->conf.sctp_port)
        j->conf.sctp_port = 5000;
    if (!j->conf.max_message_size)
        j->conf.max_message_size = 262144;
    j->state = j->told_state = PL_SIGNALING_STABLE;
    j->data_mline = j->saved_data_mline = -1;
    j->session_id = pl_rand_u64(&conf->rand) >> 1; /* RFC 9429 5.2.1: 63 bits, so that all can read it */
    j->version = 1;
    pl_rand_bytes(&conf->rand, j->hash_key, sizeof j->hash_key);
    pl_rand_ice_chars(&conf->rand, j->cname, PL_JSEP_CNAME_LEN);
    pl_jsep_make_creds(j, &j->first);
    pl_err err = keep_fingerprints(j, conf);
    if (err) {
        free(j);
        return err;
    }
    *out = j;
    return PL_OK;
}

static void free_gone(pl_jsep *j, bool untold_too)
{
    for (pl_jsep_transceiver **at = &j->gone; *at;) {
        pl_jsep_transceiver *t = *at;
        bool known = t->slot->known || t->user;
        if (!untold_too && known && !t->slot->told_gone) {
            at = &t->slot->next;
            continue;
        }
        *at = t->slot->next;
        pl_jsep_transceiver_free(t);
    }
}

void pl_jsep_free(pl_jsep *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->n_t; i++)
        pl_jsep_transceiver_free(j->t[i]);
    free(j->t);
    free_gone(j, true);
    pl_desc_free(j->current_local);
    pl_desc_free(j->current_remote);
    pl_desc_free(j->pending_local);
    pl_desc_free(j->pending_remote);
    pl_desc_free(j->last_offer);
    pl_desc_free(j->last_answer);
    pl_desc_free(j->spare);
    pl_desc_free(j->self);
    free(j);
}

void pl_jsep_close(pl_jsep *j)
{
    j->state = PL_SIGNALING_CLOSED;
}

pl_signaling_state pl_jsep_state(const pl_jsep *j)
{
    return j->state;
}

const char *pl_jsep_error(const pl_jsep *j)
{
    return j->error;
}

/* A transceiver stopped before it had a section is in no description: nothing is left to negotiate. */
static void drop_stopped_strays(pl_jsep *j)
{
    for (size_t i = 0; i < j->n_t;) {
        pl_jsep_transceiver *t = j->t[i];
        if (t->stopping && t->mline < 0 && !pl_jsep_in_offer(j, t))
            pl_jsep_remove(j, t);
        else
            i++;
    }
}

pl_err pl_jsep_enter(pl_jsep *j)
{
    j->error[0] = 0;
    free_gone(j, false);
    drop_stopped_strays(j);
    if (j->state == PL_SIGNALING_CLOSED)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "the connection is closed");
    return PL_OK;
}

pl_err pl_jsep_fail(pl_jsep *j, pl_err err, const pl_desc *d, int section, const char *fmt, ...)
{
    size_t n = 0;
    if (section >= 0) {
        const char *mid = d ? d->media.at[section].mid : NULL;
        n = (size_t)snprintf(j->error, sizeof j->error, "section %d (mid \"%.20s\"): ", section,
                             mid ? mid : "");
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(j->error + n, sizeof j->error - n, fmt, args);
    va_end(args);
    return err;
}

/* --- the list of transceivers -----------------------------------------------------------------------------
 */

/* The transceiver and its private part are one allocation. */
typedef struct both {
    pl_jsep_transceiver t;
    pl_jsep_slot slot;
} both;

static bool ssrc_taken(const pl_jsep *j, uint32_t ssrc)
{
    for (size_t i = 0; i < j->n_t; i++) {
        if (j->t[i]->ssrc == ssrc || j->t[i]->rtx_ssrc == ssrc)
            return true;
    }
    const pl_desc *remote = pl_jsep_remote(j, NULL);
    for (size_t i = 0; remote && i < remote->media.n; i++) {
        if (pl_desc_ssrc_of(&remote->media.at[i], ssrc))
            return true;
    }
    return ssrc == 0;
}

static uint32_t make_ssrc(const pl_jsep *j, uint32_t other)
{
    for (;;) {
        uint32_t ssrc = pl_rand_u32(&j->conf.rand);
        if (ssrc != other && !ssrc_taken(j, ssrc))
            return ssrc;
    }
}

/* A random UUID (RFC 9562 version 4): what browsers use for track ids. */
static void make_track_id(const pl_jsep *j, char out[PL_JSEP_ID_MAX + 1])
{
    uint8_t b[16];
    pl_rand_bytes(&j->conf.rand, b, sizeof b);
    b[6] = (uint8_t)(0x40 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    snprintf(out, PL_JSEP_ID_MAX + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

pl_err pl_jsep_transceiver_new(pl_jsep *j, pl_media_type kind, pl_jsep_transceiver **out)
{
    both *b = calloc(1, sizeof *b);
    if (!b)
        return PL_ENOMEM;
    pl_jsep_transceiver *t = &b->t;
    t->slot = &b->slot;
    t->slot->offer_index = -1;
    t->slot->saved.current = t->current = PL_INACTIVE;
    t->kind = (uint8_t)kind;
    t->mline = -1;
    t->ssrc = make_ssrc(j, 0);
    t->rtx_ssrc = make_ssrc(j, t->ssrc);
    make_track_id(j, t->track_id);
    *out = t;
    return PL_OK;
}

static void clear_streams(pl_jsep_transceiver *t)
{
    for (size_t i = 0; i < t->n_streams; i++)
        free(t->stream_id[i]);
    t->n_streams = 0;
}

void pl_jsep_transceiver_free(pl_jsep_transceiver *t)
{
    if (!t)
        return;
    clear_streams(t);
    free(t); /* the first member of its `both` */
}

pl_err pl_jsep_reserve(pl_jsep *j, size_t n)
{
    if (n > PL_JSEP_TRANSCEIVERS_MAX - j->n_t)
        return pl_jsep_fail(j, PL_ENOSPC, NULL, -1, "more than %d transceivers", PL_JSEP_TRANSCEIVERS_MAX);
    if (j->n_t + n <= j->cap_t)
        return PL_OK;
    size_t cap = j->n_t + n + 1;
    pl_jsep_transceiver **t = realloc(j->t, cap * sizeof(pl_jsep_transceiver *));
    if (!t)
        return PL_ENOMEM;
    j->t = t;
    j->cap_t = cap;
    return PL_OK;
}

void pl_jsep_append(pl_jsep *j, pl_jsep_transceiver *t)
{
    t->id = ++j->next_id;
    j->t[j->n_t++] = t;
    j->changes++;
}

void pl_jsep_remove(pl_jsep *j, pl_jsep_transceiver *t)
{
    size_t i = 0;
    while (j->t[i] != t)
        i++;
    memmove(&j->t[i], &j->t[i + 1], (j->n_t - i - 1) * sizeof *j->t);
    j->n_t--;
    j->changes++;
    t->slot->next = j->gone;
    j->gone = t;
}

size_t pl_jsep_n_transceivers(const pl_jsep *j)
{
    return j->n_t;
}

pl_jsep_transceiver *pl_jsep_transceiver_at(const pl_jsep *j, size_t i)
{
    return i < j->n_t ? j->t[i] : NULL;
}

pl_jsep_transceiver *pl_jsep_transceiver_of_mid(const pl_jsep *j, const char *mid)
{
    for (size_t i = 0; mid && *mid && i < j->n_t; i++) {
        if (strcmp(j->t[i]->mid, mid) == 0)
            return j->t[i];
    }
    return NULL;
}

pl_jsep_transceiver *pl_jsep_transceiver_of_mline(const pl_jsep *j, int mline)
{
    for (size_t i = 0; mline >= 0 && i < j->n_t; i++) {
        if (j->t[i]->mline == mline)
            return j->t[i];
    }
    return NULL;
}

bool pl_jsep_in_offer(const pl_jsep *j, const pl_jsep_transceiver *t)
{
    return j->last_offer && t->slot->offer_index >= 0;
}

/* --- what an application does with them -------------------------------------------------------------------
 */

static bool id_valid(const char *id)
{
    size_t n = strlen(id);
    if (n == 0 || n > PL_JSEP_ID_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (id[i] <= ' ' || id[i] == 127)
            return false;
    }
    return true;
}

static pl_err check_track(pl_jsep *j, const pl_jsep_track *track)
{
    if (!track)
        return PL_OK;
    bool good = track->n_streams <= PL_JSEP_STREAMS_MAX && (!track->track_id || id_valid(track->track_id));
    for (size_t i = 0; good && i < track->n_streams; i++)
        good = track->stream_id[i] && id_valid(track->stream_id[i]);
    return good ? PL_OK
                : pl_jsep_fail(j, PL_EINVAL, NULL, -1,
                               "a track or stream id is not 1 to 64 visible characters");
}

/* All or nothing: the old streams stay when memory ends. */
static pl_err give_track(pl_jsep_transceiver *t, const pl_jsep_track *track)
{
    char *copy[PL_JSEP_STREAMS_MAX] = { NULL };
    size_t n = track ? track->n_streams : 0;
    for (size_t i = 0; i < n; i++) {
        copy[i] = strdup(track->stream_id[i]);
        if (copy[i])
            continue;
        while (i-- > 0)
            free(copy[i]);
        return PL_ENOMEM;
    }
    clear_streams(t);
    for (size_t i = 0; i < n; i++)
        t->stream_id[i] = copy[i];
    t->n_streams = (uint8_t)n;
    if (track && track->track_id)
        snprintf(t->track_id, sizeof t->track_id, "%s", track->track_id);
    t->slot->has_track = true;
    return PL_OK;
}

static pl_err add(pl_jsep *j, pl_media_type kind, pl_direction direction, const pl_jsep_track *track,
                  pl_jsep_transceiver **out)
{
    pl_jsep_transceiver *t;
    pl_err err = pl_jsep_reserve(j, 1);
    if (!err)
        err = pl_jsep_transceiver_new(j, kind, &t);
    if (err)
        return err;
    err = track ? give_track(t, track) : PL_OK;
    if (err) {
        pl_jsep_transceiver_free(t);
        return err;
    }
    t->direction = (uint8_t)direction;
    t->slot->known = true;
    pl_jsep_append(j, t);
    *out = t;
    return PL_OK;
}

pl_err pl_jsep_add_transceiver(pl_jsep *j, pl_media_type kind, pl_direction direction,
                               const pl_jsep_track *track, pl_jsep_transceiver **out)
{
    *out = NULL;
    pl_err err = pl_jsep_enter(j);
    if (!err && (direction >= PL_STOPPED || kind > PL_VIDEO))
        err = PL_EINVAL;
    if (!err)
        err = check_track(j, track);
    return err ? err : add(j, kind, direction, track, out);
}

pl_err pl_jsep_add_track(pl_jsep *j, pl_media_type kind, const pl_jsep_track *track,
                         pl_jsep_transceiver **out)
{
    static const pl_jsep_track nothing;
    *out = NULL;
    pl_err err = pl_jsep_enter(j);
    if (!err && kind > PL_VIDEO)
        err = PL_EINVAL;
    if (!err)
        err = check_track(j, track);
    if (err)
        return err;
    for (size_t i = 0; i < j->n_t; i++) {
        pl_jsep_transceiver *t = j->t[i];
        if (t->kind != kind || t->stopping || t->slot->has_track || t->slot->ever_sent)
            continue;
        err = give_track(t, track ? track : &nothing);
        if (err)
            return err;
        t->direction = (uint8_t)pl_direction_make(true, pl_direction_receives((pl_direction)t->direction));
        t->by_add_track = true;
        t->slot->known = true;
        t->slot->refused = false;
        j->changes++;
        *out = t;
        return PL_OK;
    }
    err = add(j, kind, PL_SENDRECV, track ? track : &nothing, out);
    if (!err)
        (*out)->by_add_track = true;
    return err;
}

pl_err pl_jsep_remove_track(pl_jsep *j, pl_jsep_transceiver *t)
{
    pl_err err = pl_jsep_enter(j);
    if (err)
        return err;
    if (t->stopping)
        return PL_OK;
    t->slot->has_track = false;
    t->slot->refused = false;
    t->direction = (uint8_t)pl_direction_make(false, pl_direction_receives((pl_direction)t->direction));
    j->changes++;
    return PL_OK;
}

pl_err pl_jsep_set_direction(pl_jsep *j, pl_jsep_transceiver *t, pl_direction direction)
{
    pl_err err = pl_jsep_enter(j);
    if (err)
        return err;
    if (t->stopping)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "the transceiver is stopped");
    if (direction >= PL_STOPPED)
        return PL_EINVAL;
    t->direction = (uint8_t)direction;
    t->slot->refused = false;
    j->changes++;
    return PL_OK;
}

pl_err pl_jsep_stop(pl_jsep *j, pl_jsep_transceiver *t)
{
    pl_err err = pl_jsep_enter(j);
    if (err || t->stopping)
        return err;
    t->stopping = true;
    t->direction = PL_STOPPED;
    j->changes++;
    drop_stopped_strays(j);
    return PL_OK;
}

pl_err pl_jsep_set_codec_preferences(pl_jsep *j, pl_jsep_transceiver *t, const char *const *names, size_t n)
{
    const char *found[PL_JSEP_PREFERENCES_MAX];
    pl_err err = pl_jsep_enter(j);
    if (err)
        return err;
    if (n > PL_JSEP_PREFERENCES_MAX)
        return PL_ENOSPC;
    const pl_jsep_kind_conf *conf = &j->conf.kind[t->kind];
    for (size_t i = 0; i < n; i++) {
        found[i] = NULL;
        for (size_t k = 0; k < conf->n_codecs && !found[i]; k++) {
            if (pl_str_ieq(pl_str_of(names[i]), pl_str_of(conf->codec[k].name)))
                found[i] = conf->codec[k].name;
        }
        if (!found[i])
            return pl_jsep_fail(j, PL_EINVAL, NULL, -1, "no codec \"%.20s\"", names[i]);
    }
    if (n)
        memcpy(t->slot->preference, found, n * sizeof *found);
    t->slot->n_preferences = n;
    j->changes++;
    return PL_OK;
}

void pl_jsep_want_data(pl_jsep *j)
{
    j->changes += !j->want_data;
    j->want_data = true;
}

void pl_jsep_restart_ice(pl_jsep *j)
{
    const pl_desc_media *m = pl_jsep_own_transport(j, j->current_local);
    if (!m)
        return; /* nothing to replace yet */
    pl_str_copy(pl_str_of(m->ufrag), j->restart_ufrag, sizeof j->restart_ufrag);
    j->changes++;
}

/* --- descriptions in use ----------------------------------------------------------------------------------
 */

const pl_desc *pl_jsep_current_local(const pl_jsep *j)
{
    return j->current_local;
}

const pl_desc *pl_jsep_pending_local(const pl_jsep *j)
{
    return j->pending_local;
}

const pl_desc *pl_jsep_current_remote(const pl_jsep *j)
{
    return j->current_remote;
}

const pl_desc *pl_jsep_pending_remote(const pl_jsep *j)
{
    return j->pending_remote;
}

const pl_desc *pl_jsep_local(const pl_jsep *j, pl_sdp_type *type)
{
    bool pranswer = j->state == PL_SIGNALING_HAVE_LOCAL_PRANSWER;
    if (type)
        *type = j->pending_local ? pranswer ? PL_SDP_PRANSWER : PL_SDP_OFFER
                : j->answered    ? PL_SDP_ANSWER
                                 : PL_SDP_OFFER;
    return j->pending_local ? j->pending_local : j->current_local;
}

const pl_desc *pl_jsep_remote(const pl_jsep *j, pl_sdp_type *type)
{
    bool pranswer = j->state == PL_SIGNALING_HAVE_REMOTE_PRANSWER;
    if (type)
        *type = j->pending_remote ? pranswer ? PL_SDP_PRANSWER : PL_SDP_OFFER
                : j->answered     ? PL_SDP_OFFER
                                  : PL_SDP_ANSWER;
    return j->pending_remote ? j->pending_remote : j->current_remote;
}

bool pl_jsep_pair(const pl_jsep *j, const pl_desc **local, const pl_desc **remote, bool *we_answered)
{
    bool pending = j->pending_local && j->pending_remote;
    *local = pending ? j->pending_local : j->current_local;
    *remote = pending ? j->pending_remote : j->current_remote;
    *we_answered = pending ? j->state == PL_SIGNALING_HAVE_LOCAL_PRANSWER : j->answered;
    return *local && *remote;
}

int pl_jsep_tagged(const pl_desc *d)
{
    for (size_t i = 0; i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        if (!pl_desc_rejected(m) && (pl_desc_is_rtp(m) || pl_desc_is_data(m)))
            return pl_bundle_transport_of(d, (int)i);
    }
    return -1;
}

const pl_desc_media *pl_jsep_own_transport(const pl_jsep *j, const pl_desc *d)
{
    const pl_desc *local, *remote, *answer = d;
    bool we_answered;
    if (!d)
        return NULL;
    if (d == j->current_local)
        answer = j->answered ? j->current_local : j->current_remote;
    else if (pl_jsep_pair(j, &local, &remote, &we_answered) && d == local)
        answer = we_answered ? local : remote;
    int at = pl_jsep_tagged(answer);
    return at >= 0 && d->media.at[at].ufrag ? &d->media.at[at] : NULL;
}

bool pl_jsep_usable(const pl_desc *answer, int i)
{
    return !pl_desc_rejected(&answer->media.at[i]) &&
           pl_bundle_transport_of(answer, i) == pl_jsep_tagged(answer);
}

int pl_jsep_described_by(const pl_desc *d, int i)
{
    const pl_desc_media *m = &d->media.at[i];
    return m->ufrag && m->pwd && m->fingerprints.n ? i : pl_bundle_transport_of(d, i);
}

const pl_desc_media *pl_jsep_remote_transport(const pl_desc *remote, int tagged)
{
    return &remote->media.at[pl_jsep_described_by(remote, tagged)];
}

/* --- invariants -------------------------------------------------------------------------------------------
 */

static void check_transceiver(const pl_jsep *j, const pl_jsep_transceiver *t)
{
    assert((t->mline >= 0) == (t->mid[0] != 0));
    assert(!t->stopped);
    assert(t->stopping == (t->direction == PL_STOPPED));
    assert(t->ssrc && t->rtx_ssrc && t->ssrc != t->rtx_ssrc);
    assert(t->mline < 0 || t->mline != j->data_mline);
    assert(!t->slot->saved.associated || t->mline >= 0);
    assert(t->has_current || t->current == PL_INACTIVE);
    if (j->state == PL_SIGNALING_STABLE)
        assert(t->slot->saved.associated == (t->mline >= 0));
    for (size_t k = 0; k < j->n_t; k++)
        assert(j->t[k] == t || t->mline < 0 || j->t[k]->mline != t->mline);
}

void pl_jsep_check(const pl_jsep *j)
{
    assert(j->n_t <= PL_JSEP_TRANSCEIVERS_MAX && j->n_t <= j->cap_t + 0);
    for (size_t i = 0; i < j->n_t; i++)
        check_transceiver(j, j->t[i]);
    assert(!j->current_local == !j->current_remote);
    assert(!j->current_local || j->current_local->media.n == j->current_remote->media.n);
    switch (j->state) {
    case PL_SIGNALING_STABLE: assert(!j->pending_local && !j->pending_remote); break;
    case PL_SIGNALING_HAVE_LOCAL_OFFER: assert(j->pending_local && !j->pending_remote); break;
    case PL_SIGNALING_HAVE_REMOTE_OFFER: assert(!j->pending_local && j->pending_remote); break;
    case PL_SIGNALING_HAVE_LOCAL_PRANSWER:
    case PL_SIGNALING_HAVE_REMOTE_PRANSWER: assert(j->pending_local && j->pending_remote); break;
    case PL_SIGNALING_CLOSED: break;
    }
}
