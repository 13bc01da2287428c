/* What sending and receiving files over XMPP have in common. */
#include "cli/xmpp_files.h"

xmpp_files xmpp_of_files;

static void on_session(void *user, const pl_jingle_event *e)
{
    pl_file_session *f = pl_jingle_user(e->session);
    (void)user;
    if (f)
        pl_file_session_event(f, e);
    else if (e->kind == PL_JINGLE_INCOMING && xmpp_of_files.incoming)
        xmpp_of_files.incoming(e);
    else if (e->kind == PL_JINGLE_INCOMING)
        (void)!pl_jingle_ignore(e->session, pl_xmpp_client_now(xmpp_of_files.s->client));
}

/* XEP-0096: answered by pointing at what we speak. */
static bool on_stanza(void *user, const pl_xml *stanza)
{
    xmpp_files *all = user;
    pl_xml *answer = pl_xml_is(stanza, PL_NS_CLIENT, "iq") ? pl_jingle_file_answer_si(stanza) : NULL;
    if (answer)
        (void)!pl_xmpp_send(all->s->client, answer);
    return answer != NULL;
}

bool xmpp_files_begin(xmpp_session *s, void (*incoming)(const pl_jingle_event *e))
{
    xmpp_files *all = &xmpp_of_files;
    pl_xmpp_jingle_conf conf = { .client = s->client,
                                 .applications = pl_file_session_applications(),
                                 .transports = pl_file_session_transports(),
                                 .session = on_session };
    all->s = s;
    all->incoming = incoming;
    pl_files_say_init(&all->say, s->json, false);
    pl_err err = pl_xmpp_jingle_new(&all->jingle, &conf);
    for (const char *const *f = pl_file_session_features(); *f && !err; f++)
        err = pl_disco_add(s->disco, *f);
    if (err) {
        xmpp_failed(s, "files", pl_err_str(err));
        return false;
    }
    all->older = (pl_xmpp_handler){ .stanza = on_stanza, .user = all };
    pl_xmpp_add_handler(s->client, PL_XMPP_TYPE, &all->older);
    return true;
}

void xmpp_files_end(void)
{
    if (!xmpp_of_files.s)
        return;
    pl_byte_proxy_search_free(xmpp_of_files.proxy);
    pl_xmpp_remove_handler(xmpp_of_files.s->client, &xmpp_of_files.older);
    pl_xmpp_jingle_free(xmpp_of_files.jingle);
}

void xmpp_files_opened(bool again)
{
    if (again || xmpp_of_files.proxy || xmpp_opt.in_band)
        return;
    xmpp_try(xmpp_of_files.s, "proxy",
             pl_byte_proxy_search_new(&xmpp_of_files.proxy, xmpp_of_files.s->client, xmpp_of_files.s->disco));
}

pl_file_session_conf xmpp_files_conf(void)
{
    return (pl_file_session_conf){ .loop = xmpp_of_files.s->loop,
                                   .client = xmpp_of_files.s->client,
                                   .jingle = xmpp_of_files.jingle,
                                   .in_band = xmpp_opt.in_band,
                                   .proxy_only = xmpp_opt.proxy_only || xmpp_opt.in_band,
                                   .proxy = xmpp_of_files.proxy ? pl_byte_proxy_found(xmpp_of_files.proxy)
                                                                : NULL };
}

int64_t xmpp_files_due_us(void)
{
    return pl_xmpp_jingle_next_us(xmpp_of_files.jingle);
}

void xmpp_files_turned(void)
{
    pl_xmpp_jingle_run(xmpp_of_files.jingle);
}

const char *xmpp_files_way(const pl_file_session *f)
{
    return pl_file_session_in_band(f) ? "in-band" : "SOCKS5";
}

const char *xmpp_files_why(pl_jingle_reason reason, const char *text)
{
    if (text && text[0])
        return text;
    switch (reason) {
    case PL_JINGLE_DECLINE: return "they do not want it";
    case PL_JINGLE_BUSY: return "they are busy with another";
    case PL_JINGLE_CANCEL: return "stopped";
    case PL_JINGLE_GONE: return "the other side is gone";
    case PL_JINGLE_MEDIA_ERROR: return "what arrived is not what was sent: its hash is wrong";
    default: return pl_jingle_reason_str(reason);
    }
}

bool xmpp_files_may_pass(pl_jingle_reason reason)
{
    return reason == PL_JINGLE_CONNECTIVITY_ERROR || reason == PL_JINGLE_GONE ||
           reason == PL_JINGLE_TIMEOUT || reason == PL_JINGLE_BUSY;
}
