// The way to ntke.so, the kernel object emulation as Linux code: include/ntke/calls.h lists what
// can be called there. Where it is not on, everything is the host's.
#pragma once

#include <atomic>

#include "ntke/module.h"
#include "sdk.h"

namespace ws2::emulation {

/// Decides once per process whether the emulation is used, and brings it up. WSAStartup calls it
/// with no lock held; later calls cost a load. Threads that come at the same time do not wait for
/// each other, so it cannot deadlock with the loader, and each returns with the decision made.
/// Leaves the last error alone. What was decided stays until the process ends.
void load();

/// The decision: kUndecided, kHost, or the address of an ntke::Interface that stays for ever.
extern std::atomic<uintptr_t> g_link;
constexpr uintptr_t kUndecided = 0;
constexpr uintptr_t kHost = 1;

/// Does this process use the emulation? False before load.
inline bool is_on()
{
    return g_link.load(std::memory_order_acquire) > kHost;
}

/// Calls into ntke.so with the argument block that `code` takes. Only where is_on.
///
/// Meanwhile the thread runs no Windows code: no APC, no suspension, no clean end. So no call but
/// the pump's may block for long.
inline NTSTATUS call(ntke::Call code, void* args)
{
    const auto* link
        = reinterpret_cast<const ntke::Interface*>(g_link.load(std::memory_order_acquire));
    return link->dispatcher(link->table, code, args);
}

} // namespace ws2::emulation
