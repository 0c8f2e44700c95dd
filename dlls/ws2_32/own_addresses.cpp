#include "own_addresses.h"

#include <iphlpapi.h>

#include <iterator>

#include "late_library.h"

namespace ws2 {

static LateFunction<decltype(&GetAdaptersAddresses)> get_adapters_addresses(
    L"iphlpapi.dll", "GetAdaptersAddresses");

/// The system's list of adapters, from the heap; null when there is none. Leaves the last error
/// alone.
static IP_ADAPTER_ADDRESSES* read_adapters(int family)
{
    constexpr ULONG kFlags
        = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    constexpr int kAttempts = 4; // The list may grow between asking for its size and reading it.
    const auto query = get_adapters_addresses.get();
    if (!query)
        return nullptr;
    const DWORD last_error = GetLastError();
    ULONG size = 16 << 10;
    IP_ADAPTER_ADDRESSES* adapters = nullptr;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        adapters = static_cast<IP_ADAPTER_ADDRESSES*>(heap_allocate(size));
        const ULONG error = adapters ? query(family, kFlags, nullptr, adapters, &size) : 0;
        if (!error)
            break;
        heap_free(std::exchange(adapters, nullptr));
        if (error != ERROR_BUFFER_OVERFLOW)
            break;
    }
    SetLastError(last_error);
    return adapters;
}

/// Do others reach it?
static bool is_external(const IP_ADAPTER_ADDRESSES& adapter)
{
    return adapter.IfType != IF_TYPE_SOFTWARE_LOOPBACK && adapter.OperStatus == IfOperStatusUp;
}

int list_own_addresses(int family, OwnAddresses which, HeapArray<HostAddress>& addresses)
{
    IP_ADAPTER_ADDRESSES* const adapters = read_adapters(family);
    int error = 0;
    for (const auto* adapter = adapters; adapter && !error; adapter = adapter->Next) {
        if (which == OwnAddresses::kExternal && !is_external(*adapter))
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

int list_own_networks(HeapArray<OwnNetwork>& networks)
{
    IP_ADAPTER_ADDRESSES* const adapters = read_adapters(AF_UNSPEC);
    int error = 0;
    for (const auto* adapter = adapters; adapter && !error; adapter = adapter->Next) {
        if (!is_external(*adapter) || !adapter->FirstUnicastAddress)
            continue;
        OwnNetwork network = {};
        lstrcpynW(network.name, adapter->FriendlyName, std::size(network.name));
        lstrcpynA(network.adapter, adapter->AdapterName, std::size(network.adapter));
        network.type = adapter->IfType;
        network.speed = adapter->TransmitLinkSpeed > MAXDWORD
            ? MAXDWORD
            : static_cast<DWORD>(adapter->TransmitLinkSpeed);
        if (!networks.append(network))
            error = WSA_NOT_ENOUGH_MEMORY;
    }
    heap_free(adapters);
    return error;
}

} // namespace ws2
