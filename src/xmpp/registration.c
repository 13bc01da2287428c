/* In-band registration, signed in. */
#include "xmpp/registration.h"

#include "xmpp/feature.h"

void pl_registration_init(pl_registration *r, pl_xmpp_client *client)
{
    *r = (pl_registration){ .client = client };
}

void pl_registration_clear(pl_registration *r)
{
    if (r->client)
        pl_xmpp_forget(r->client, r);
    *r = (pl_registration){ 0 };
}

static void on_answer(void *user, const pl_xml *answer)
{
    pl_registration *r = user;
    pl_registration_fn done = r->done;
    const char *error = feature_error(answer);
    if (r->cancelling && !answer) /* the session ended with the account */
        error = pl_xmpp_client_state(r->client) == PL_XMPP_OPENED ? "" : NULL;
    r->done = NULL;
    r->cancelling = false;
    done(r->user, error ? NULL : pl_xml_child(answer, PL_NS_REGISTER, "query"), error);
}

/* Takes the request. */
static pl_err ask(pl_registration *r, pl_xml *iq, bool cancelling, pl_registration_fn done, void *user)
{
    if (r->done) {
        pl_xml_free(iq);
        return PL_ESTATE;
    }
    pl_err err = pl_xmpp_ask(r->client, iq, 0, on_answer, r);
    if (err)
        return err;
    r->done = done;
    r->user = user;
    r->cancelling = cancelling;
    return PL_OK;
}

pl_err pl_registration_ask_fields(pl_registration *r, const char *service, pl_registration_fn done,
                                  void *user)
{
    pl_xml *iq = pl_xmpp_iq("get", service);
    pl_xml_add(iq, PL_NS_REGISTER, "query");
    return ask(r, iq, false, done, user);
}

/* To the server by name: an iq to nobody would go to the account (0077 3.3). */
static pl_xml *begin(const pl_registration *r, pl_xml **query)
{
    char domain[PL_JID_PART_MAX + 1];
    if (!pl_str_copy(pl_jid_domain(pl_xmpp_client_jid(r->client)), domain, sizeof domain))
        return NULL;
    pl_xml *iq = pl_xmpp_iq("set", domain);
    *query = pl_xml_add(iq, PL_NS_REGISTER, "query");
    return iq;
}

pl_err pl_registration_change_password(pl_registration *r, const char *password, pl_registration_fn done,
                                       void *user)
{
    char local[PL_JID_PART_MAX + 1];
    pl_xml *query = NULL, *iq = begin(r, &query);
    if (pl_str_copy(pl_jid_local(pl_xmpp_client_jid(r->client)), local, sizeof local))
        pl_xml_add_text(query, NULL, "username", local);
    pl_xml_add_text(query, NULL, "password", password);
    return ask(r, iq, false, done, user);
}

pl_err pl_registration_remove_account(pl_registration *r, pl_registration_fn done, void *user)
{
    pl_xml *query = NULL, *iq = pl_xmpp_iq("set", NULL);
    query = pl_xml_add(iq, PL_NS_REGISTER, "query");
    pl_xml_add(query, NULL, "remove");
    return ask(r, iq, true, done, user);
}
