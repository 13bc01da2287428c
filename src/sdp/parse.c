/* The lines of a description and the m= line; attributes are read in attribute.c. */
#include <stdarg.h>
#include <stdio.h>

#include "sdp/reader.h"

pl_err pl_sdp_fail(pl_sdp_reader *r, pl_err err, const char *fmt, ...)
{
    if (!r->error)
        return err;
    r->error->line = r->line;
    int n = r->line ? snprintf(r->error->text, sizeof r->error->text, "line %u: ", r->line) : 0;
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->error->text + n, sizeof r->error->text - (size_t)n, fmt, args);
    va_end(args);
    return err;
}

pl_str pl_sdp_word(pl_str *rest)
{
    while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
        rest->p++;
        rest->n--;
    }
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
        n++;
    pl_str word = { rest->p, n };
    rest->p += n;
    rest->n -= n;
    return word;
}

/* --- session lines ----------------------------------------------------------------------------------------
 */

static void read_origin(pl_sdp_reader *r, pl_str value)
{
    pl_str user = pl_sdp_word(&value);
    if (user.n && !pl_str_is(user, "-"))
        r->d->username = pl_desc_text(r->d, user);
    /* Some write what is no number; nothing depends on it. */
    if (!pl_str_u64(pl_sdp_word(&value), UINT64_MAX, &r->d->session_id))
        r->d->session_id = 0;
    if (!pl_str_u64(pl_sdp_word(&value), UINT64_MAX, &r->d->session_version))
        r->d->session_version = 0;
}

static void read_connection(pl_sdp_reader *r, pl_str value)
{
    (void)pl_sdp_word(&value); /* IN */
    (void)pl_sdp_word(&value); /* IP4, IP6: the address shows it */
    pl_str rest = pl_sdp_word(&value), address = pl_str_cut(&rest, '/');
    if (address.n == 0 || pl_str_is(address, "0.0.0.0"))
        return;
    pl_desc_media *m = r->m ? r->m : &r->session;
    m->address = pl_desc_text(r->d, address);
}

static void read_bandwidth(pl_sdp_reader *r, pl_str value)
{
    uint64_t n;
    pl_str kind = pl_str_cut(&value, ':');
    if (!r->m || !value.p || !pl_str_u64(pl_str_trim(value), UINT32_MAX, &n))
        return;
    if (pl_str_is(kind, "AS"))
        r->m->bandwidth_as_kbps = (uint32_t)n;
    else if (pl_str_is(kind, "TIAS"))
        r->m->bandwidth_tias_bps = (uint32_t)n;
}

/* --- m= ----------------------------------------------------------------------------------------------------
 */

static pl_desc_kind kind_of(pl_str word)
{
    return pl_str_is(word, "audio")         ? PL_DESC_AUDIO
           : pl_str_is(word, "video")       ? PL_DESC_VIDEO
           : pl_str_is(word, "application") ? PL_DESC_APPLICATION
                                            : PL_DESC_OTHER;
}

/* RFC 9429 5.1.2: older profile names are taken for the one that is meant, since DTLS is required anyway. */
static pl_desc_proto proto_of(pl_desc_kind kind, pl_str proto)
{
    static const char *const rtp[] = { "UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF",
                                       "UDP/TLS/RTP/SAVP",  "TCP/TLS/RTP/SAVP",
                                       "RTP/SAVPF",         "RTP/SAVP",
                                       "RTP/AVPF",          "RTP/AVP" };
    for (size_t i = 0; kind <= PL_DESC_VIDEO && i < sizeof rtp / sizeof *rtp; i++) {
        if (pl_str_is(proto, rtp[i]))
            return PL_DESC_UDP_TLS_SAVPF;
    }
    if (kind == PL_DESC_APPLICATION &&
        (pl_str_is(proto, "UDP/DTLS/SCTP") || pl_str_is(proto, "TCP/DTLS/SCTP")))
        return PL_DESC_UDP_DTLS_SCTP;
    if (kind == PL_DESC_APPLICATION && pl_str_is(proto, "DTLS/SCTP"))
        return PL_DESC_OLD_DTLS_SCTP;
    return PL_DESC_PROTO_OTHER;
}

static pl_err read_payload_types(pl_sdp_reader *r)
{
    pl_str rest = r->formats;
    for (pl_str word; (word = pl_sdp_word(&rest)).n;) {
        uint64_t pt;
        if (!pl_str_u64(word, 127, &pt))
            return pl_sdp_fail(r, PL_EPROTO, "payload type \"%.*s\" is not 0 to 127",
                               word.n > 10 ? 10 : (int)word.n, word.p);
        if (pl_desc_codec_of_pt(r->m, (int)pt))
            continue;
        pl_desc_codec *c = pl_desc_add_codec(r->d, r->m);
        if (!c)
            return pl_desc_err(r->d);
        c->pt = (uint8_t)pt;
    }
    return PL_OK;
}

/* RFC 8841 names the application, the draft before it the SCTP port. */
static void read_sctp_format(pl_sdp_reader *r)
{
    uint64_t port;
    if (r->m->proto == PL_DESC_UDP_DTLS_SCTP && !pl_str_is(r->formats, "webrtc-datachannel"))
        r->m->proto = PL_DESC_PROTO_OTHER;
    if (r->m->proto == PL_DESC_OLD_DTLS_SCTP) {
        if (pl_str_u64(r->formats, 65535, &port) && port)
            r->m->sctp_port = (uint16_t)port;
        else
            r->m->proto = PL_DESC_PROTO_OTHER;
    }
}

static pl_err read_media(pl_sdp_reader *r, pl_str value)
{
    pl_err err = pl_sdp_end_section(r);
    if (err)
        return err;
    uint64_t port;
    pl_str word = pl_sdp_word(&value), ports = pl_sdp_word(&value), proto = pl_sdp_word(&value);
    r->formats = pl_str_trim(value);
    if (!word.n || !proto.n || !r->formats.n || !pl_str_u64(pl_str_cut(&ports, '/'), 65535, &port))
        return pl_sdp_fail(r, PL_EPROTO, "m= needs kind, port, protocol and formats");
    pl_desc_kind kind = kind_of(word);
    pl_desc_media *m = pl_desc_add_media(r->d, kind);
    if (!m)
        return pl_desc_err(r->d);
    r->m = m;
    r->has_direction = false;
    r->feedback_for_all = 0;
    m->port = (uint16_t)port;
    m->proto = (uint8_t)proto_of(kind, proto);
    if (kind == PL_DESC_OTHER)
        m->kind_text = pl_desc_text(r->d, word);
    if (pl_desc_is_rtp(m))
        return read_payload_types(r);
    read_sctp_format(r);
    return PL_OK;
}

/* What only the whole section can tell is the protocol's text: kept when it is not the usual one. */
static void keep_proto(pl_sdp_reader *r, pl_str value)
{
    (void)pl_sdp_word(&value);
    (void)pl_sdp_word(&value);
    pl_str proto = pl_sdp_word(&value);
    if (!pl_str_is(proto, pl_desc_proto_str(r->m)))
        r->m->proto_text = pl_desc_text(r->d, proto);
    if (r->m->proto == PL_DESC_PROTO_OTHER)
        r->m->formats = pl_desc_text(r->d, r->formats);
}

/* --- lines ------------------------------------------------------------------------------------------------
 */

static bool has_control_character(pl_str line)
{
    for (size_t i = 0; i < line.n; i++) {
        if ((unsigned char)line.p[i] < ' ' && line.p[i] != '\t')
            return true;
    }
    return false;
}

static pl_err read_line(pl_sdp_reader *r, pl_str line)
{
    if (line.n < 2 || line.p[1] != '=' || line.p[0] < 'a' || line.p[0] > 'z')
        return pl_sdp_fail(r, PL_EPROTO, "not of the form \"x=value\"");
    pl_str value = { line.p + 2, line.n - 2 };
    if (r->line == 1 && (line.p[0] != 'v' || !pl_str_is(pl_str_trim(value), "0")))
        return pl_sdp_fail(r, PL_EPROTO, "a session description begins with v=0");
    pl_err err = PL_OK;
    switch (line.p[0]) {
    case 'o': read_origin(r, value); break;
    case 'c': read_connection(r, value); break;
    case 'b': read_bandwidth(r, value); break;
    case 'm':
        err = read_media(r, value);
        if (!err)
            keep_proto(r, value);
        break;
    case 'a': err = pl_sdp_attribute(r, value); break;
    default: break;
    }
    return err;
}

static pl_err read_lines(pl_sdp_reader *r, pl_str rest)
{
    while (rest.p && rest.n) {
        pl_str line = pl_str_cut(&rest, '\n');
        r->line++;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n > PL_SDP_LINE_MAX)
            return pl_sdp_fail(r, PL_ENOSPC, "longer than %d characters", PL_SDP_LINE_MAX);
        if (has_control_character(line))
            return pl_sdp_fail(r, PL_EPROTO, "a control character");
        if (line.n == 0 && r->line > 1)
            continue; /* an empty line, most often at the end of a text that was pasted */
        pl_err err = read_line(r, line);
        if (err)
            return err;
        if (pl_desc_err(r->d))
            return pl_desc_err(r->d);
    }
    if (r->line == 0)
        return pl_sdp_fail(r, PL_EPROTO, "the text is empty");
    pl_err err = pl_sdp_end_section(r);
    return err ? err : pl_desc_err(r->d);
}

pl_err pl_sdp_parse(pl_desc **out, const char *text, size_t len, pl_sdp_error *error)
{
    pl_sdp_reader r = { .error = error, .session = { .direction = PL_SENDRECV } };
    *out = NULL;
    if (error)
        *error = (pl_sdp_error){ 0 };
    if (len > PL_SDP_TEXT_MAX)
        return pl_sdp_fail(&r, PL_ENOSPC, "longer than %d bytes", PL_SDP_TEXT_MAX);
    pl_err err = pl_desc_new(&r.d);
    if (err)
        return err;
    err = read_lines(&r, (pl_str){ text, len });
    if (err && error && !error->text[0])
        (void)pl_sdp_fail(&r, err, err == PL_ENOMEM ? "no memory" : "more than a description may hold");
    if (err)
        pl_desc_free(r.d);
    else
        *out = r.d;
    return err;
}
