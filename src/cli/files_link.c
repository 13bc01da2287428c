#include "cli/files_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/files_code.h"
#include "net/loop.h"
#include "session/negotiation.h"
#include "session/words.h"
#include "transfer/message.h"

enum {
    HIGH_WATER = 4 << 20, /* bytes in the channel that are enough */
    LOW_WATER = 1 << 20
};

struct pl_files_link {
    pl_files_link_conf conf;
    pl_negotiation negotiation;
    pl_peer_connection *pc;
    pl_data_channel *channel;
    bool open, over, told, connected, silent;
    int64_t until_us;
};

static void close_link(pl_files_link *l, const char *why, bool by_peer)
{
    if (l->over)
        return;
    l->over = true;
    l->open = false;
    l->conf.closed(l->conf.user, why, by_peer);
}

/* ---- channel ---- */

static void on_open(void *user, pl_data_channel *c)
{
    pl_files_link *l = user;
    if (l->open || l->over)
        return;
    pl_data_channel_set_buffered_amount_low_threshold(c, LOW_WATER);
    l->open = true;
    l->until_us = PL_NEVER;
    l->conf.opened(l->conf.user);
}

static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    pl_files_link *l = user;
    (void)c;
    if (l->over)
        return;
    if (!l->open)
        on_open(l, c);
    if (binary)
        l->conf.message(l->conf.user, data, len);
}

static void on_low(void *user, pl_data_channel *c)
{
    pl_files_link *l = user;
    (void)c;
    if (l->open)
        l->conf.writable(l->conf.user);
}

static void on_channel_close(void *user, pl_data_channel *c)
{
    (void)c;
    close_link(user, "the other side has closed the channel", true);
}

static pl_data_channel_observer channel_observer(pl_files_link *l)
{
    return (pl_data_channel_observer){ .user = l,
                                       .on_open = on_open,
                                       .on_message = on_message,
                                       .on_buffered_amount_low = on_low,
                                       .on_close = on_channel_close };
}

static void on_data_channel(void *user, pl_data_channel *c)
{
    pl_files_link *l = user;
    if (l->channel || l->conf.sender || strcmp(pl_data_channel_label(c), PL_TRANSFER_LABEL) != 0 ||
        strcmp(pl_data_channel_protocol(c), PL_TRANSFER_PROTOCOL) != 0) {
        pl_data_channel_free(c);
        return;
    }
    pl_data_channel_observer o = channel_observer(l);
    pl_data_channel_set_observer(c, &o);
    l->channel = c;
}

/* ---- connection ---- */

static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    pl_files_link *l = user;
    l->silent = state == PL_CONNECTION_DISCONNECTED;
    if (state == PL_CONNECTION_CONNECTED) {
        if (l->connected && l->conf.note)
            l->conf.note(l->conf.user, "the path is back");
        l->connected = true;
    } else if (state == PL_CONNECTION_DISCONNECTED && reason[0]) {
        close_link(l, "the other side has gone", true);
    } else if (state == PL_CONNECTION_DISCONNECTED) {
        if (l->conf.note)
            l->conf.note(l->conf.user, "the path is silent: waiting for it to come back");
    } else if (state == PL_CONNECTION_FAILED) {
        close_link(l, reason, false);
    }
}

static void on_negotiation_needed(void *user)
{
    pl_files_link *l = user;
    if (l->conf.tags)
        pl_negotiation_needed(&l->negotiation);
    else if (l->conf.sender && pl_peer_connection_set_local_description(l->pc, PL_SDP_OFFER, NULL))
        close_link(l, "no offer can be made", false);
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    pl_files_link *l = user;
    if (l->conf.tags)
        pl_negotiation_local_candidate(&l->negotiation, c);
}

/* Without a room everything must be in the one code that is pasted. */
static void describe(pl_files_link *l)
{
    char *sdp, code[PL_FILES_CODE_MAX];
    if (l->conf.tags || l->told || l->over || pl_peer_connection_local_description(l->pc, NULL, &sdp) || !sdp)
        return;
    l->told = true;
    pl_err err = pl_files_code_write(code, sdp, l->conf.sender);
    pl_free(sdp);
    if (err)
        close_link(l, "the code is too long: fewer --interfaces might help", false);
    else
        l->conf.described(l->conf.user, code);
}

static void on_gathering(void *user, pl_ice_gathering_state state)
{
    if (state == PL_ICE_GATHERING_COMPLETE)
        describe(user);
}

/* Takes text. */
static pl_err say(pl_files_link *l, char *text)
{
    if (!text)
        return PL_ENOMEM;
    l->conf.say(l->conf.user, text, strlen(text));
    free(text);
    return PL_OK;
}

static pl_err negotiation_describe(void *user, pl_sdp_type type, const char *sdp)
{
    pl_files_link *l = user;
    return say(l, pl_words_description(type, sdp, l->conf.tags));
}

/* One candidate more or less is nobody's news here. */
static void negotiation_candidate(void *user, const pl_ice_candidate *c)
{
    pl_files_link *l = user;
    (void)!say(l, pl_words_candidate(c, l->conf.tags));
}

static void negotiation_note(void *user, const char *text)
{
    (void)user, (void)text;
}

static void negotiation_failed(void *user, pl_err err, const char *why)
{
    (void)err;
    close_link(user, why, false);
}

void pl_files_link_take(pl_files_link *l, const json_t *o)
{
    pl_words w;
    if (l->over)
        return;
    pl_words_of(&w, o);
    if (w.kind == PL_WORDS_OFFER || w.kind == PL_WORDS_ANSWER)
        pl_negotiation_description(&l->negotiation, w.kind == PL_WORDS_OFFER ? PL_SDP_OFFER : PL_SDP_ANSWER,
                                   w.sdp);
    else if (w.kind == PL_WORDS_CANDIDATE)
        pl_negotiation_remote_candidate(&l->negotiation, &w.cand);
}

static int64_t deadline_us(const pl_files_link *l)
{
    return pl_clock_us() + (int64_t)(l->conf.patience_s * 1e6);
}

pl_err pl_files_link_paste(pl_files_link *l, const char *text)
{
    pl_buf sdp = pl_buf_init(PL_FILES_CODE_SDP_MAX);
    pl_err err = pl_files_code_read(&sdp, text, !l->conf.sender);
    if (!err)
        err = pl_peer_connection_set_remote_description(l->pc, l->conf.sender ? PL_SDP_ANSWER : PL_SDP_OFFER,
                                                        pl_buf_z(&sdp));
    pl_buf_clear(&sdp);
    if (!err && !l->conf.sender)
        err = pl_peer_connection_set_local_description(l->pc, PL_SDP_ANSWER, NULL);
    if (!err && l->conf.sender)
        l->until_us = deadline_us(l);
    return err;
}

/* ---- life ---- */

static pl_err open_channel(pl_files_link *l)
{
    pl_data_channel_observer o = channel_observer(l);
    pl_data_channel_init init = { .protocol = PL_TRANSFER_PROTOCOL };
    return pl_peer_connection_create_data_channel(l->pc, PL_TRANSFER_LABEL, &init, &o, &l->channel);
}

pl_err pl_files_link_new(pl_files_link **out, const pl_files_link_conf *conf)
{
    const pl_peer_connection_observer observer = { .on_negotiation_needed = on_negotiation_needed,
                                                   .on_ice_gathering_state = on_gathering,
                                                   .on_ice_candidate = on_candidate,
                                                   .on_connection_state = on_connection,
                                                   .on_data_channel = on_data_channel };
    pl_peer_connection_observer watch = observer;
    pl_files_link *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l) {
        json_decref(conf->tags);
        return PL_ENOMEM;
    }
    watch.user = l;
    l->conf = *conf;
    l->until_us = conf->tags ? deadline_us(l) : PL_NEVER; /* with codes people are slow */
    l->negotiation = (pl_negotiation){ .polite = !conf->sender,
                                       .started = conf->sender,
                                       .user = l,
                                       .describe = negotiation_describe,
                                       .candidate = negotiation_candidate,
                                       .refused = negotiation_failed,
                                       .failed = negotiation_failed,
                                       .note = negotiation_note };
    pl_err err = pl_peer_connection_new(&l->pc, conf->factory, conf->connection, &watch);
    l->negotiation.pc = l->pc;
    if (!err && conf->sender)
        err = open_channel(l);
    if (err) {
        pl_files_link_free(l);
        return err;
    }
    *out = l;
    return PL_OK;
}

void pl_files_link_free(pl_files_link *l)
{
    if (!l)
        return;
    pl_data_channel_free(l->channel);
    pl_peer_connection_free(l->pc);
    pl_negotiation_clear(&l->negotiation);
    json_decref(l->conf.tags);
    free(l);
}

pl_err pl_files_link_send(pl_files_link *l, const uint8_t *data, size_t len)
{
    if (!l->open)
        return PL_ESTATE;
    if (pl_data_channel_buffered_amount(l->channel) >= HIGH_WATER)
        return PL_EAGAIN;
    return pl_data_channel_send(l->channel, data, len, true);
}

bool pl_files_link_is_open(const pl_files_link *l)
{
    return l && l->open;
}

bool pl_files_link_is_silent(const pl_files_link *l)
{
    return l && l->silent;
}

size_t pl_files_link_unsent(const pl_files_link *l)
{
    return l && l->open ? pl_data_channel_buffered_amount(l->channel) : 0;
}

size_t pl_files_link_message_max(const pl_files_link *l)
{
    return pl_data_channel_max_message_size(l->channel);
}

int64_t pl_files_link_next_us(const pl_files_link *l)
{
    return l && !l->over ? l->until_us : PL_NEVER;
}

void pl_files_link_due(pl_files_link *l)
{
    if (pl_files_link_next_us(l) <= pl_clock_us())
        close_link(l, "no connection in time", false);
}

static bool fingerprint_of(pl_err (*description)(pl_peer_connection *, pl_sdp_type *, char **),
                           pl_peer_connection *pc, uint8_t out[PL_SHA256_LEN])
{
    char *sdp = NULL;
    bool good = description(pc, NULL, &sdp) == PL_OK && sdp && pl_files_fingerprint(sdp, out);
    pl_free(sdp);
    return good;
}

bool pl_files_link_digits(pl_files_link *l, char out[PL_TRANSFER_DIGITS_LEN + 1])
{
    uint8_t own[PL_SHA256_LEN], theirs[PL_SHA256_LEN];
    if (!fingerprint_of(pl_peer_connection_local_description, l->pc, own) ||
        !fingerprint_of(pl_peer_connection_remote_description, l->pc, theirs))
        return false;
    pl_transfer_digits(out, own, theirs);
    return true;
}
