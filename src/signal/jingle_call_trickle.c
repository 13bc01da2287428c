/* What comes by transport-info: candidates of the peer's, and credentials with them, which begin ICE anew or answer what we began. */
#include <string.h>

#include "signal/jingle_call_internal.h"

bool call_is_old(const pl_jingle_call *c, const char *ufrag)
{
    for (int i = 0; ufrag && i < CALL_OLD_UFRAGS; i++) {
        if (strcmp(c->old_ufrag[i], ufrag) == 0)
            return true;
    }
    return false;
}

/* A content whose credentials are neither those in use nor older ones. */
static const pl_desc_media *with_new_credentials(const pl_jingle_call *c, const pl_desc *d,
                                                 const pl_desc *part)
{
    for (int i = 0; i < part->media.n; i++) {
        const pl_desc_media *m = &part->media.at[i];
        int k = call_find(d, m->mid), was = call_find(c->remote, m->mid);
        const char *now = k >= 0 ? d->media.at[k].ufrag : was >= 0 ? c->remote->media.at[was].ufrag : NULL;
        if (now && m->ufrag && m->pwd && strcmp(now, m->ufrag) != 0 && !call_is_old(c, m->ufrag))
            return m;
    }
    return NULL;
}

typedef enum begins { CANDIDATES, RESTART, ANSWER } begins;

/* Who begins ICE anew says so by credentials without candidates (Conversations), or by the part in DTLS that an offer has
 * (stanza; ours say both). Credentials that come with candidates answer what we began. They are new at the peer all the same when
 * we have given that up. */
static begins what_it_is(const pl_jingle_call *c, const pl_desc_media *m)
{
    bool has_candidates = m && (m->candidates.n || m->end_of_candidates);
    if (!m)
        return CANDIDATES;
    if (m->setup == PL_DESC_SETUP_ACTPASS || (!m->setup && !has_candidates))
        return RESTART;
    return c->restarting ? ANSWER : RESTART;
}

/* Credentials that we know already can answer a restart of ours, too: when the peer had begun one itself, which gave way. */
static bool pays(const pl_desc *part)
{
    for (int i = 0; i < part->media.n; i++) {
        uint8_t setup = part->media.at[i].setup;
        if (part->media.at[i].pwd && (setup == PL_DESC_SETUP_ACTIVE || setup == PL_DESC_SETUP_PASSIVE))
            return true;
    }
    return false;
}

/* What our side knows of the peer: the offer that it is asked, or what both agreed on. */
static const pl_desc *known_to_us(const pl_jingle_call *c)
{
    return c->asked ? c->asked : c->remote;
}

/* A content may be gone already; another has the same transport. */
static int section_for(const pl_desc *d, const pl_desc_media *m)
{
    int k = call_find(d, m->mid);
    for (int i = 0; k < 0 && m->ufrag && i < d->media.n; i++) {
        const char *ufrag = d->media.at[i].ufrag;
        if (call_alive(d, i) && ufrag && strcmp(ufrag, m->ufrag) == 0)
            k = i;
    }
    return k;
}

static void say_candidates(pl_jingle_call *c, const pl_desc *part)
{
    for (int i = 0; i < part->media.n && !c->over; i++) {
        const pl_desc *d = known_to_us(c);
        pl_desc_media m = part->media.at[i];
        int k = section_for(d, &m);
        if (k < 0 || call_is_old(c, m.ufrag))
            continue;
        m.mid = d->media.at[k].mid;
        call_say_candidates(c, &m, k);
    }
}

/* They belong to an answer that is not complete. */
static bool keep_for_reply(pl_jingle_call *c, const pl_desc *part)
{
    bool kept = false;
    for (int i = 0; c->offer && c->sent && i < part->media.n; i++) {
        const pl_desc_media *m = &part->media.at[i];
        int k = call_find(c->reply, m->mid), was = call_find(c->remote, m->mid);
        const char *ufrag = k >= 0 ? c->reply->media.at[k].ufrag : NULL;
        if (!ufrag || !m->ufrag || strcmp(ufrag, m->ufrag) != 0 ||
            (was >= 0 && strcmp(c->remote->media.at[was].ufrag, ufrag) == 0))
            continue;
        for (size_t n = 0; n < m->candidates.n; n++)
            (void)pl_desc_add_candidate(c->reply, &c->reply->media.at[k], pl_str_of(m->candidates.at[n]));
        kept = true;
    }
    return kept;
}

/* Of a content that is not agreed on yet, and waits itself. */
static bool speaks_of_later(const pl_jingle_call *c, const pl_desc *part)
{
    bool known = c->remote != NULL;
    for (int i = 0; i < part->media.n && known; i++)
        known = call_find(c->remote, part->media.at[i].mid) >= 0 ||
                call_find(c->offer, part->media.at[i].mid) >= 0;
    return !c->remote || (!known && (c->asked || c->n_later));
}

static void take_part(pl_jingle_call *c, const pl_xml *jingle, const pl_desc *part)
{
    const pl_desc *now = c->offer && c->sent ? c->reply : known_to_us(c);
    begins b = what_it_is(c, with_new_credentials(c, now, part));
    if (b == CANDIDATES && c->restarting && pays(part))
        b = ANSWER;
    if (b == RESTART && c->running)
        call_on_restart(c, PL_JINGLE_TRANSPORT_INFO, jingle);
    else if (b == RESTART)
        call_incoming(c, PL_JINGLE_TRANSPORT_INFO, jingle);
    else if (b == ANSWER)
        call_restarted(c, part);
    else if (!keep_for_reply(c, part))
        say_candidates(c, part);
}

void call_transport_info(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_jingle_fault fault;
    pl_desc *part = call_parse(c, jingle, &fault);
    if (!part) {
        call_give_up(c, fault.reason, fault.condition, fault.text);
        return;
    }
    if (!c->running && speaks_of_later(c, part)) {
        call_keep_for_later(c, PL_JINGLE_TRANSPORT_INFO, jingle); /* of what is not agreed on yet */
        pl_desc_free(part);
        return;
    }
    for (int i = 0; i < part->media.n && !c->over; i++) {
        if (!call_knows_key(c->first, &part->media.at[i]))
            call_give_up(c, PL_JINGLE_SECURITY_ERROR, NULL, "the peer's key has changed within the call");
    }
    if (!c->over)
        take_part(c, jingle, part);
    pl_desc_free(part);
}
