// A host that stops threads by signals, as Wine does.
#pragma once

#include <csignal>

#include "ke/stoppable.h"
#include "unix/uninterrupted.h"

namespace unit {

/// Makes `handler` the host's, and has ntke stand before it. False: it cannot.
inline bool stop_threads_by(void (*handler)(int, siginfo_t*, void*))
{
    struct sigaction action { };
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (const int signal : { SIGUSR1, SIGQUIT })
        sigaction(signal, &action, nullptr);
    if (unix_side::take_stops())
        return false;
    ke::g_let_stops_in = unix_side::let_stops_in;
    ke::g_hold_stops_off = unix_side::hold_stops_off;
    return true;
}

} // namespace unit
