#include "own_addresses.h"

#include <iphlpapi.h>

#include "late_library.h"

namespace ws2 {

static LateFunction<decltype(&GetAdaptersAddresses)> get_adapters_addresses(
    L"iphlpapi.dll", "GetAdaptersAddresses");

/// The system's list of adapters, from the heap; null when there is none.
static IP_ADAPTER_ADDRESSES* read_adapters(int family)
{
    constexpr ULONG kFlags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST
        | GAA_FLAG_SKIP_DNS_SERVER | GAA_FLAG_SKIP_FRIENDLY_NAME;
    constexpr int kAttempts = 4; // The list may grow between asking for its size and reading it.
    const auto query = get_adapters_addresses.get();
    if (!query)
        return nullptr;
    ULONG size = 16 << 10;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        auto* adapters = static_cast<IP_ADAPTER_ADDRESSES*>(heap_allocate(size));
        if (!adapters)
            return nullptr;
        const ULONG error = query(family, kFlags, nullptr, adapters, &size);
        if (!error)
            return adapters;
        heap_free(adapters);
        if (error != ERROR_BUFFER_OVERFLOW)
            return nullptr;
    }
    return nullptr;
}

int list_own_addresses(int family, OwnAddresses which, HeapArray<HostAddress>& addresses)
{
    const DWORD last_error = GetLastError();
    IP_ADAPTER_ADDRESSES* const adapters = read_adapters(family);
    SetLastError(last_error);
    int error = 0;
    for (const auto* adapter = adapters; adapter && !error; adapter = adapter->Next) {
        if (which == OwnAddresses::kExternal
            && (adapter->IfType == IF_TYPE_SOFTWARE_LOOPBACK
                || adapter->OperStatus != IfOperStatusUp))
            continue;
        for (const auto* unicast = adapter->FirstUnicastAddress; unicast; unicast = unicast->Next) {
            const sockaddr* name = unicast->Address.lpSockaddr;
            HostAddress address;
            if (name->sa_family == AF_INET) {
                address
                    = HostAddress::from_v4(reinterpret_cast<const sockaddr_in*>(name)->sin_addr);
            } else if (name->sa_family == AF_INET6) {
                const auto* v6 = reinterpret_cast<const sockaddr_in6*>(name);
                address = HostAddress::from_v6(v6->sin6_addr, v6->sin6_scope_id);
            } else {
                continue;
            }
            if (!addresses.append(address))
                error = WSA_NOT_ENOUGH_MEMORY;
        }
    }
    heap_free(adapters);
    return error;
}

} // namespace ws2
