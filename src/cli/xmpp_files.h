/* xmpp_files.h - what `peerline xmpp send-file` and `receive` have in common: Jingle for files on an account, the search for
 * a proxy, the words.
 * Shape    one a program; begin takes, end gives back. */
#ifndef PL_CLI_XMPP_FILES_H
#define PL_CLI_XMPP_FILES_H

#include "cli/files_say.h"
#include "cli/xmpp_session.h"
#include "signal/byte_proxy.h"
#include "signal/file_session.h"

typedef struct xmpp_files {
    xmpp_session *s;
    pl_xmpp_jingle *jingle;
    pl_byte_proxy_search *proxy;
    pl_files_say say;
    pl_xmpp_handler older; /* what came before Jingle is told so */
    void (*incoming)(const pl_jingle_event *e);
} xmpp_files;
extern xmpp_files xmpp_of_files;

/* incoming NULL: nobody may offer. False: said why. */
bool xmpp_files_begin(xmpp_session *s, void (*incoming)(const pl_jingle_event *e));
void xmpp_files_end(void);
/* A new session: the proxy is looked for. */
void xmpp_files_opened(bool again);
/* Loop, client and ways are filled in. */
pl_file_session_conf xmpp_files_conf(void);
int64_t xmpp_files_due_us(void);
void xmpp_files_turned(void);
const char *xmpp_files_way(const pl_file_session *f); /* "SOCKS5", "in-band" */
/* A sentence about an end that was none of success. */
const char *xmpp_files_why(pl_jingle_reason reason, const char *text);
/* It may go better a second time. */
bool xmpp_files_may_pass(pl_jingle_reason reason);

#endif
