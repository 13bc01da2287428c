/* The XMPP servers of the tests of signal/. */
#include "signal/xmpp_fixture.c" /* NOLINT(bugprone-suspicious-include) */
