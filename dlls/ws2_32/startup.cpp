// WSAStartup, WSACleanup, WSAGetLastError, WSASetLastError.
#include "startup.h"

#include <cstring>

#include "caller.h"
#include "emulation.h"
#include "error.h"
#include "guard.h"
#include "lock.h"
#include "socket.h"
#include "statistics.h"

namespace ws2 {

// Successful WSAStartup calls not yet undone. Written under startup_lock, read anywhere.
static std::atomic<int> startup_count { 0 };
static SrwLock startup_lock;

bool is_started()
{
    return startup_count.load(std::memory_order_relaxed) > 0;
}

bool is_started_for(const void* caller)
{
    return is_started() || is_code_of_wine(caller);
}

constexpr WORD kHighestVersion = MAKEWORD(2, 2);

/// The version a program gets that asks for `wanted`; 0 if there is none for it. [WSAStartup/1]
static WORD negotiated_version(WORD wanted)
{
    const BYTE major = LOBYTE(wanted);
    const BYTE minor = HIBYTE(wanted);
    switch (major) {
    case 0:
        return 0;
    case 1:
        return MAKEWORD(1, minor ? 1 : 0);
    case 2:
        return MAKEWORD(2, minor < 2 ? minor : 2);
    default:
        return kHighestVersion;
    }
}

} // namespace ws2

using namespace ws2;

int WSAAPI WSAStartup(WORD wanted, WSADATA* data)
{
    const WORD version = negotiated_version(wanted);
    // Everything but lpVendorInfo is written, even when the version is refused. [WSAStartup/2]
    WSADATA filled;
    if (!guard::read(data, filled))
        return version ? WSAEFAULT : WSAVERNOTSUPPORTED;
    filled.wVersion = version ? version : kHighestVersion;
    filled.wHighVersion = kHighestVersion;
    std::strcpy(filled.szDescription, "WinSock 2.0");
    std::strcpy(filled.szSystemStatus, "Running");
    const bool version_1 = LOBYTE(wanted) == 1;
    filled.iMaxSockets = version_1 ? 32767 : 0;
    filled.iMaxUdpDg = version_1 ? 65467 : 0;
    if (!guard::write(data, filled))
        return WSAEFAULT;
    if (!version)
        return WSAVERNOTSUPPORTED;

    statistics::start();
    emulation::load(); // With no lock held: it loads a library.
    ExclusiveGuard guard(startup_lock);
    startup_count.fetch_add(1);
    return 0;
}

int WSAAPI WSACleanup()
{
    ExclusiveGuard guard(startup_lock);
    if (!is_started())
        return fail(WSANOTINITIALISED);
    if (startup_count.fetch_sub(1) == 1)
        close_all_sockets(); // [WSACleanup/3]
    return succeed();
}

int WSAAPI WSAGetLastError()
{
    return GetLastError();
}

void WSAAPI WSASetLastError(int error)
{
    SetLastError(error);
}
