/* Our connections against ejabberd, as Debian has it. */
#include "signal/xmpp_scenarios.h"

int main(void)
{
    return xmpp_scenarios_run("ejabberd");
}
