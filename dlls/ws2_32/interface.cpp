#include "interface.h"

#include <iphlpapi.h>

#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace ws2 {

namespace {

/// What is used of iphlpapi.
struct IpHelper {
    decltype(&GetAdaptersAddresses) get_adapters_addresses;
    decltype(&GetBestInterfaceEx) get_best_interface;
    bool loaded = false;
};

IpHelper helper;
INIT_ONCE helper_once = INIT_ONCE_STATIC_INIT;

BOOL CALLBACK load_helper(INIT_ONCE*, void*, void**)
{
    const HMODULE module = LoadLibraryW(L"iphlpapi.dll");
    if (!module)
        return TRUE;
    const auto load = [module](const char* name, auto& function) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
            GetProcAddress(module, name));
        return function != nullptr;
    };
    helper.loaded = load("GetAdaptersAddresses", helper.get_adapters_addresses)
        && load("GetBestInterfaceEx", helper.get_best_interface);
    return TRUE;
}

const IpHelper* ip_helper()
{
    InitOnceExecuteOnce(&helper_once, load_helper, nullptr, nullptr);
    return helper.loaded ? &helper : nullptr;
}

/// Owns the list of adapters.
class Adapters {
public:
    explicit Adapters(int family)
    {
        const IpHelper* ip = ip_helper();
        if (!ip)
            return;
        constexpr ULONG kFlags
            = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
        ULONG size = 16 * 1024;
        // The list may grow between two calls; a machine where it never fits has none.
        for (int attempt = 0; attempt < 4; ++attempt) {
            m_memory = HeapAlloc(GetProcessHeap(), 0, size);
            auto* list = static_cast<IP_ADAPTER_ADDRESSES*>(m_memory);
            const ULONG error = list
                ? ip->get_adapters_addresses(family, kFlags, nullptr, list, &size)
                : ERROR_OUTOFMEMORY;
            if (!error) {
                m_list = list;
                return;
            }
            HeapFree(GetProcessHeap(), 0, std::exchange(m_memory, nullptr));
            if (error != ERROR_BUFFER_OVERFLOW)
                return;
        }
    }
    ~Adapters() { HeapFree(GetProcessHeap(), 0, m_memory); }
    Adapters(const Adapters&) = delete;
    const IP_ADAPTER_ADDRESSES* list() const { return m_list; }

private:
    void* m_memory = nullptr;
    IP_ADAPTER_ADDRESSES* m_list = nullptr;
};

ULONG index_of(const IP_ADAPTER_ADDRESSES& adapter, int family)
{
    return family == AF_INET6 ? adapter.Ipv6IfIndex : adapter.IfIndex;
}

bool is_loopback(const SOCKADDR& address)
{
    if (address.sa_family == AF_INET)
        return reinterpret_cast<const SOCKADDR_IN&>(address).sin_addr.S_un.S_un_b.s_b1 == 127;
    const auto& ipv6 = reinterpret_cast<const SOCKADDR_IN6&>(address).sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&ipv6);
}

/// Index of the interface towards an address; 0 when not known.
ULONG best_interface(const SOCKADDR& destination)
{
    DWORD index = 0;
    const IpHelper* ip = ip_helper();
    if (!ip || ip->get_best_interface(const_cast<SOCKADDR*>(&destination), &index))
        return 0;
    return index;
}

} // namespace

unsigned interface_addresses(int family, InterfaceAddress* addresses, unsigned capacity)
{
    const Adapters adapters(family);
    unsigned count = 0;
    for (const bool loopback : { false, true }) {
        for (auto* adapter = adapters.list(); adapter; adapter = adapter->Next) {
            if ((adapter->IfType == IF_TYPE_SOFTWARE_LOOPBACK) != loopback)
                continue;
            for (auto* unicast = adapter->FirstUnicastAddress; unicast; unicast = unicast->Next) {
                const SOCKET_ADDRESS& name = unicast->Address;
                if (name.lpSockaddr->sa_family != family)
                    continue;
                if (count < capacity) {
                    InterfaceAddress& entry = addresses[count];
                    entry = {};
                    std::memcpy(&entry.address, name.lpSockaddr, name.iSockaddrLength);
                    entry.length = name.iSockaddrLength;
                    entry.interface_index = index_of(*adapter, family);
                    entry.loopback = loopback;
                }
                ++count;
            }
        }
    }
    return count;
}

bool address_of_interface(ULONG index, IN_ADDR& address)
{
    InterfaceAddress addresses[64];
    const unsigned count = interface_addresses(AF_INET, addresses, 64);
    for (unsigned i = 0; i < count && i < 64; ++i) {
        if (addresses[i].interface_index != index)
            continue;
        address = reinterpret_cast<SOCKADDR_IN&>(addresses[i].address).sin_addr;
        return true;
    }
    return false;
}

bool interface_by_address(IN_ADDR& address)
{
    const ULONG host_order = __builtin_bswap32(address.s_addr);
    if (host_order == 0 || host_order > 0x00FFFFFF)
        return true;
    return address_of_interface(host_order, address);
}

IN_ADDR interface_from_index(ULONG index)
{
    IN_ADDR address;
    address.s_addr = __builtin_bswap32(index);
    return address;
}

int source_address(const SOCKADDR& destination, InterfaceAddress& source)
{
    InterfaceAddress addresses[64];
    unsigned count = interface_addresses(destination.sa_family, addresses, 64);
    if (count > 64)
        count = 64;
    const bool loopback = is_loopback(destination);
    const ULONG index = loopback ? 0 : best_interface(destination);
    const InterfaceAddress* best = nullptr;
    for (const InterfaceAddress& candidate : std::span(addresses, count)) {
        // Without a route entry (not every host reports one for IPv6) any outward address will do.
        const bool fits = loopback ? candidate.loopback
            : index                ? candidate.interface_index == index
                                   : !candidate.loopback;
        if (fits) {
            best = &candidate;
            break;
        }
    }
    if (!best)
        return WSAENETUNREACH;
    source = *best;
    return 0;
}

DWORD mtu_towards(const SOCKADDR& destination)
{
    InterfaceAddress source;
    if (source_address(destination, source))
        return 0;
    const Adapters adapters(destination.sa_family);
    for (auto* adapter = adapters.list(); adapter; adapter = adapter->Next) {
        if (index_of(*adapter, destination.sa_family) == source.interface_index)
            return adapter->Mtu;
    }
    return 0;
}

} // namespace ws2
