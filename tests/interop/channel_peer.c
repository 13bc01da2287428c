/* channel_peer.c - one end of a connection with data channels for tests, through the public interface: orders in, what
 * happens out, as JSON lines (README.md has both). aiortc_channels.py, pion/ and the browser's page obey the same orders.
 *
 *   channel_peer [pieces] [max-message-size=N|any]
 *
 * pieces: channels are received in pieces, which are counted and hashed as they come. */
#include <jansson.h>
#include <openssl/evp.h>
#include <peerline/peer_connection.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call) must((call), #call)

enum { HASH_LEN = 32, CHANNELS_MAX = 65535 };

typedef struct channel {
    pl_data_channel *handle; /* until the end: an order may be about it at this moment */
    bool closed;
    EVP_MD_CTX *hash; /* of the message that is coming */
    uint64_t size;
    unsigned n_pieces;
} channel;

/* What a stream or a lent message is read from. */
typedef struct source {
    uint8_t *data;
    size_t len;
    uint64_t at, all; /* data again and again, so many bytes */
} source;

static struct {
    pthread_mutex_t lock; /* the table, and the output */
    pl_factory *factory;
    pl_peer_connection *pc;
    channel *at[CHANNELS_MAX];
    size_t n;
    bool in_pieces;
    uint64_t max_message_size;
} me = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void must(pl_err err, const char *what)
{
    if (err == PL_OK)
        return;
    fprintf(stderr, "channel_peer: %s: %s\n", what, pl_err_str(err));
    exit(1);
}

static void say(json_t *o)
{
    pthread_mutex_lock(&me.lock);
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&me.lock);
    json_decref(o);
}

static void say_error(const char *what, pl_err err)
{
    say(json_pack("{ss ss ss}", "type", "error", "message", what, "error", pl_err_str(err)));
}

/* ---- channels ---- */

static channel *keep(void)
{
    channel *c = calloc(1, sizeof *c);
    MUST(c && (c->hash = EVP_MD_CTX_new()) && EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL) ? PL_OK
                                                                                             : PL_ENOMEM);
    pthread_mutex_lock(&me.lock);
    MUST(me.n < CHANNELS_MAX ? PL_OK : PL_ENOSPC);
    me.at[me.n++] = c;
    pthread_mutex_unlock(&me.lock);
    return c;
}

static channel *find(const char *label)
{
    channel *found = NULL;
    pthread_mutex_lock(&me.lock);
    for (size_t i = 0; i < me.n && !found; i++) {
        if (me.at[i]->handle && !me.at[i]->closed &&
            strcmp(pl_data_channel_label(me.at[i]->handle), label) == 0)
            found = me.at[i];
    }
    pthread_mutex_unlock(&me.lock);
    return found;
}

static void say_channel(pl_data_channel *handle, const char *state)
{
    pl_data_channel_init init;
    pl_data_channel_get_init(handle, &init);
    json_t *o = json_pack("{ss ss ss ss sb si si}", "type", "channel", "label", pl_data_channel_label(handle),
                          "state", state, "protocol", init.protocol, "ordered", !init.unordered, "id",
                          init.id, "priority", init.priority);
    if (init.has_max_retransmits)
        json_object_set_new(o, "maxRetransmits", json_integer(init.max_retransmits));
    if (init.has_max_packet_life_time)
        json_object_set_new(o, "maxPacketLifeTime", json_integer(init.max_packet_life_time));
    say(o);
}

static void on_open(void *user, pl_data_channel *handle)
{
    (void)user;
    say_channel(handle, "open");
}

static void on_close(void *user, pl_data_channel *handle)
{
    pthread_mutex_lock(&me.lock);
    ((channel *)user)->closed = true;
    pthread_mutex_unlock(&me.lock);
    say_channel(handle, "closed");
}

static void on_piece(void *user, pl_data_channel *handle, const uint8_t *data, size_t len, bool binary,
                     bool first, bool last)
{
    channel *c = user;
    uint8_t hash[HASH_LEN];
    char hex[2 * HASH_LEN + 1];
    if (first) {
        EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL);
        c->size = c->n_pieces = 0;
    }
    EVP_DigestUpdate(c->hash, data, len);
    c->size += len;
    c->n_pieces++;
    if (!last)
        return;
    EVP_DigestFinal_ex(c->hash, hash, NULL);
    for (int i = 0; i < HASH_LEN; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    say(json_pack("{ss ss sb sI ss si}", "type", "message", "label", pl_data_channel_label(handle), "binary",
                  binary, "size", (json_int_t)c->size, "sha256", hex, "pieces", c->n_pieces));
}

static void on_message(void *user, pl_data_channel *handle, const uint8_t *data, size_t len, bool binary)
{
    on_piece(user, handle, data, len, binary, true, true);
}

static void on_low(void *user, pl_data_channel *handle)
{
    (void)user;
    say(json_pack("{ss ss}", "type", "low", "label", pl_data_channel_label(handle)));
}

static pl_data_channel_observer observer(channel *c)
{
    return (pl_data_channel_observer){ .user = c,
                                       .on_open = on_open,
                                       .on_message = on_message,
                                       .on_piece = me.in_pieces ? on_piece : NULL,
                                       .on_buffered_amount_low = on_low,
                                       .on_close = on_close };
}

static void on_data_channel(void *user, pl_data_channel *handle)
{
    channel *c = keep();
    (void)user;
    c->handle = handle;
    pl_data_channel_observer o = observer(c);
    pl_data_channel_set_observer(handle, &o);
}

static void take_open(const json_t *o)
{
    const char *label = NULL, *protocol = NULL;
    int ordered = 1, retransmits = -1, life_time = -1, negotiated = 0, id = 0, priority = 0;
    MUST(json_unpack((json_t *)o, "{ss s?s s?b s?i s?i s?b s?i s?i}", "label", &label, "protocol", &protocol,
                     "ordered", &ordered, "maxRetransmits", &retransmits, "maxPacketLifeTime", &life_time,
                     "negotiated", &negotiated, "id", &id, "priority", &priority) == 0
             ? PL_OK
             : PL_EPROTO);
    const pl_data_channel_init init = { .unordered = !ordered,
                                        .has_max_retransmits = retransmits >= 0,
                                        .max_retransmits = retransmits < 0 ? 0 : (uint16_t)retransmits,
                                        .has_max_packet_life_time = life_time >= 0,
                                        .max_packet_life_time = life_time < 0 ? 0 : (uint16_t)life_time,
                                        .protocol = protocol,
                                        .negotiated = negotiated,
                                        .id = (uint16_t)id,
                                        .priority = (uint16_t)priority };
    channel *c = keep();
    pl_data_channel_observer watch = observer(c);
    pl_data_channel *handle;
    pl_err err = pl_peer_connection_create_data_channel(me.pc, label, &init, &watch, &handle);
    pthread_mutex_lock(&me.lock);
    c->handle = err ? NULL : handle;
    pthread_mutex_unlock(&me.lock);
    if (err)
        say_error(label, err);
}

/* ---- messages ---- */

static void give_back(void *user)
{
    source *s = user;
    free(s->data);
    free(s);
}

static long read_source(void *user, pl_data_channel *handle, uint8_t *into, size_t cap)
{
    source *s = user;
    size_t n = 0;
    (void)handle;
    while (n < cap && s->at < s->all) {
        size_t from = (size_t)(s->at % s->len), part = s->len - from;
        part = part < cap - n ? part : cap - n;
        part = part < s->all - s->at ? part : (size_t)(s->all - s->at);
        memcpy(into + n, s->data + from, part);
        n += part;
        s->at += part;
    }
    return (long)n;
}

static void stream_done(void *user, pl_data_channel *handle, pl_err err)
{
    if (err)
        say_error("stream", err);
    else
        say(json_pack("{ss ss}", "type", "streamed", "label", pl_data_channel_label(handle)));
    give_back(user);
}

static uint8_t *decode(const char *base64, size_t *len)
{
    size_t n = strlen(base64);
    uint8_t *out = malloc(n / 4 * 3 + 1);
    MUST(out && n % 4 == 0 && EVP_DecodeBlock(out, (const uint8_t *)base64, (int)n) == (int)(n / 4 * 3)
             ? PL_OK
             : PL_EPROTO);
    *len = n / 4 * 3;
    while (n && base64[--n] == '=')
        --*len;
    return out;
}

/* The whole message in memory: the bytes given, `times` times. */
static source *whole(const json_t *o)
{
    const char *text = json_string_value(json_object_get(o, "data"));
    const json_t *times = json_object_get(o, "times");
    size_t n = times ? (size_t)json_integer_value(times) : 1;
    size_t len = json_string_length(json_object_get(o, "data"));
    source *s = calloc(1, sizeof *s);
    uint8_t *once = text ? malloc(len + 1) : decode(json_string_value(json_object_get(o, "base64")), &len);
    MUST(s && once ? PL_OK : PL_ENOMEM);
    if (text)
        memcpy(once, text, len);
    bool streamed = json_object_get(o, "messageSize") != NULL;
    *s = (source){ .data = once, .len = len, .all = (uint64_t)len * n };
    if (streamed || n == 1)
        return s;
    s->data = malloc(len * n + 1);
    MUST(s->data ? PL_OK : PL_ENOMEM);
    for (size_t i = 0; i < n; i++)
        memcpy(s->data + i * len, once, len);
    free(once);
    s->len *= n;
    return s;
}

static void take_send(const json_t *o, pl_data_channel *handle)
{
    const char *how = json_string_value(json_object_get(o, "how"));
    bool binary = json_object_get(o, "base64") != NULL;
    source *s = whole(o);
    pl_err err;
    if (how && strcmp(how, "stream") == 0) {
        const pl_data_stream stream = { .user = s,
                                        .read = read_source,
                                        .done = stream_done,
                                        .binary = binary,
                                        .length = s->all,
                                        .message_size =
                                            (size_t)json_integer_value(json_object_get(o, "messageSize")) };
        err = pl_data_channel_send_stream(handle, &stream);
    } else if (how && strcmp(how, "lent") == 0) {
        err = pl_data_channel_send_lent(handle, s->data, s->len, binary, give_back, s);
    } else {
        err = pl_data_channel_send(handle, s->data, s->len, binary);
        give_back(s);
        s = NULL;
    }
    if (!err)
        return;
    say_error("send", err);
    if (s)
        give_back(s);
}

/* ---- connection ---- */

static void say_description(void)
{
    pl_sdp_type type;
    char *sdp;
    MUST(pl_peer_connection_local_description(me.pc, &type, &sdp));
    say(json_pack("{ss ss}", "type", pl_sdp_type_str(type), "sdp", sdp));
    pl_free(sdp);
}

static void on_gathering(void *user, pl_ice_gathering_state state)
{
    (void)user;
    if (state == PL_ICE_GATHERING_COMPLETE)
        say_description();
}

static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    (void)user;
    say(json_pack("{ss ss ss}", "type", "connection", "state", pl_peer_connection_state_str(state), "reason",
                  reason));
}

static void take_description(const char *type, const char *sdp)
{
    bool offer = strcmp(type, "offer") == 0;
    if (sdp)
        MUST(pl_peer_connection_set_remote_description(me.pc, offer ? PL_SDP_OFFER : PL_SDP_ANSWER, sdp));
    if (!sdp || offer) /* said when all candidates are in it */
        MUST(pl_peer_connection_set_local_description(me.pc, sdp ? PL_SDP_ANSWER : PL_SDP_OFFER, NULL));
}

static void take(const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    const char *label = json_string_value(json_object_get(o, "label"));
    MUST(type ? PL_OK : PL_EPROTO);
    if (strcmp(type, "offer") == 0 || strcmp(type, "answer") == 0) {
        take_description(type, json_string_value(json_object_get(o, "sdp")));
        return;
    }
    if (strcmp(type, "open") == 0) {
        take_open(o);
        return;
    }
    channel *c = label ? find(label) : NULL;
    if (!c)
        say_error("no such channel", PL_EINVAL);
    else if (strcmp(type, "send") == 0)
        take_send(o, c->handle);
    else if (strcmp(type, "close") == 0)
        pl_data_channel_close(c->handle);
    else if (strcmp(type, "pause") == 0)
        pl_data_channel_pause(c->handle);
    else if (strcmp(type, "resume") == 0)
        pl_data_channel_resume(c->handle);
    else if (strcmp(type, "amount") == 0)
        say(json_pack("{ss ss sI sI}", "type", "amount", "label", label, "bytes",
                      (json_int_t)pl_data_channel_buffered_amount(c->handle), "largest",
                      (json_int_t)(pl_data_channel_max_message_size(c->handle) & INT64_MAX)));
    else
        say_error(type, PL_EPROTO);
}

static void read_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "pieces") == 0)
            me.in_pieces = true;
        else if (strcmp(argv[i], "max-message-size=any") == 0)
            me.max_message_size = PL_MESSAGE_SIZE_ANY;
        else if (strncmp(argv[i], "max-message-size=", 17) == 0)
            me.max_message_size = strtoull(argv[i] + 17, NULL, 10);
    }
}

int main(int argc, char **argv)
{
    const pl_factory_conf factory_conf = { .no_ipv6 = true };
    const pl_peer_connection_observer watch = { .on_ice_gathering_state = on_gathering,
                                                .on_connection_state = on_connection,
                                                .on_data_channel = on_data_channel };
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    read_options(argc, argv);
    const pl_configuration conf = { .max_message_size = me.max_message_size };
    MUST(pl_factory_new(&me.factory, &factory_conf));
    MUST(pl_peer_connection_new(&me.pc, me.factory, &conf, &watch));
    while ((n = getline(&line, &cap, stdin)) > 0) {
        json_t *o = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL);
        MUST(o ? PL_OK : PL_EPROTO);
        take(o);
        json_decref(o);
    }
    free(line);
    pl_peer_connection_close(me.pc);
    for (size_t i = 0; i < me.n; i++) {
        pl_data_channel_free(me.at[i]->handle);
        EVP_MD_CTX_free(me.at[i]->hash);
        free(me.at[i]);
    }
    pl_peer_connection_free(me.pc);
    pl_factory_free(me.factory);
    return 0;
}
