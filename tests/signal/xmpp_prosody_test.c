/* Our connections against Prosody, as Debian has it. */
#include "signal/xmpp_scenarios.h"

int main(void)
{
    return xmpp_scenarios_run("prosody");
}
