// The control codes about addresses, interfaces and routes.
#include "ioctl.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "interface.h"

namespace ws2 {

constexpr unsigned kMaxAddresses = 128;

int get_broadcast_address(IoctlCall& call)
{
    if (call.socket->family != AF_INET)
        return WSAENOPROTOOPT; // [WSAIoctl/14]
    SOCKADDR_IN address {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = INADDR_BROADCAST;
    return give_output(call, &address, sizeof(address));
}

/// Bytes of a list of `count` addresses with the addresses behind it.
static DWORD list_size(unsigned count, unsigned address_size)
{
    return offsetof(SOCKET_ADDRESS_LIST, Address) + count * (sizeof(SOCKET_ADDRESS) + address_size);
}

/// A list under construction, as it will stand in the application's buffer.
struct ListImage {
    alignas(SOCKET_ADDRESS_LIST) char bytes[offsetof(SOCKET_ADDRESS_LIST, Address)
        + kMaxAddresses * (sizeof(SOCKET_ADDRESS) + sizeof(SOCKADDR_IN6))];
};

/// Lays out the addresses behind the array that points at them; the pointers are those of the
/// application's buffer. Returns the size.
static DWORD lay_out(ListImage& image, void* target, std::span<const InterfaceAddress> addresses)
{
    auto* list = reinterpret_cast<SOCKET_ADDRESS_LIST*>(image.bytes);
    const unsigned count = static_cast<unsigned>(addresses.size());
    DWORD offset = list_size(count, 0);
    list->iAddressCount = count;
    for (unsigned i = 0; i < count; ++i) {
        SOCKET_ADDRESS& entry = list->Address[i];
        entry.lpSockaddr = reinterpret_cast<SOCKADDR*>(static_cast<char*>(target) + offset);
        entry.iSockaddrLength = addresses[i].length;
        std::memcpy(image.bytes + offset, &addresses[i].address, addresses[i].length);
        offset += addresses[i].length;
    }
    return offset;
}

int query_address_list(IoctlCall& call)
{
    // Room, but not even for the count. [WSAIoctl/15]
    if (call.output && call.output_length > 0
        && call.output_length < offsetof(SOCKET_ADDRESS_LIST, Address))
        return call.tell(0, WSAEINVAL);

    InterfaceAddress addresses[kMaxAddresses];
    const int family = call.socket->family;
    unsigned count = std::min(interface_addresses(family, addresses, kMaxAddresses), kMaxAddresses);
    // Loopback addresses come last, and count only where there is nothing else.
    const auto outward = std::span(addresses, count);
    const unsigned outwards = static_cast<unsigned>(
        std::count_if(outward.begin(), outward.end(), [](auto& a) { return !a.loopback; }));
    if (outwards)
        count = outwards;

    const DWORD needed = list_size(count, address_length(family));
    if (!call.output || call.output_length < needed)
        return call.tell(needed, WSAEFAULT);
    ListImage image;
    const DWORD size = lay_out(image, call.output, std::span(addresses, count));
    return give_output(call, image.bytes, size);
}

/// Copies an application's address list. Returns 0 or the Winsock error.
static int read_list(const IoctlCall& call, InterfaceAddress* addresses, unsigned& count)
{
    INT stated;
    if (take_input(call, &stated, sizeof(stated)))
        return WSAEFAULT;
    if (stated < 0 || static_cast<unsigned>(stated) > kMaxAddresses)
        return WSAEINVAL;
    count = stated;
    if (call.input_length < list_size(count, 0))
        return WSAEFAULT;
    const auto* list = static_cast<const SOCKET_ADDRESS_LIST*>(call.input);
    for (unsigned i = 0; i < count; ++i) {
        SOCKET_ADDRESS entry;
        if (!guard::read(&list->Address[i], entry))
            return WSAEFAULT;
        InterfaceAddress& address = addresses[i];
        address = {};
        address.length = entry.iSockaddrLength;
        if (address.length < static_cast<int>(sizeof(SOCKADDR_IN))
            || address.length > static_cast<int>(sizeof(SOCKADDR_IN6)))
            return WSAEINVAL;
        if (!guard::copy(&address.address, entry.lpSockaddr, address.length))
            return WSAEFAULT;
    }
    return 0;
}

/// Puts the destinations this machine has a source address for first, and otherwise keeps the
/// order. [WSAIoctl/16]
int sort_address_list(IoctlCall& call)
{
    InterfaceAddress addresses[kMaxAddresses];
    unsigned count;
    if (const int error = read_list(call, addresses, count))
        return error;
    const auto list = std::span(addresses, count);
    DWORD needed = list_size(count, 0);
    for (InterfaceAddress& address : list) {
        InterfaceAddress source;
        address.loopback = source_address(reinterpret_cast<SOCKADDR&>(address.address), source);
        needed += address.length;
    }
    if (!call.output || call.output_length < needed)
        return call.tell(needed, WSAEFAULT);
    // Insertion keeps equals in order without memory of its own; lists are short.
    for (unsigned i = 1; i < count; ++i) {
        for (unsigned j = i; j > 0 && list[j - 1].loopback && !list[j].loopback; --j)
            std::swap(list[j - 1], list[j]);
    }
    ListImage image;
    const DWORD size = lay_out(image, call.output, list);
    return give_output(call, image.bytes, size);
}

static bool is_any(const SOCKADDR& address)
{
    if (address.sa_family == AF_INET)
        return reinterpret_cast<const SOCKADDR_IN&>(address).sin_addr.s_addr == INADDR_ANY;
    static constexpr IN6_ADDR kAny {};
    return !std::memcmp(
        &reinterpret_cast<const SOCKADDR_IN6&>(address).sin6_addr, &kAny, sizeof(kAny));
}

int query_routing_interface(IoctlCall& call)
{
    SOCKADDR_STORAGE destination {};
    if (!call.input || call.input_length < sizeof(SOCKADDR))
        return WSAEINVAL; // [WSAIoctl/17]
    if (!guard::copy(
            &destination, call.input, std::min<size_t>(call.input_length, sizeof(destination))))
        return WSAEFAULT;
    const int length = ip_address_length(destination.ss_family);
    if (!length)
        return WSAEAFNOSUPPORT;
    const auto& name = reinterpret_cast<const SOCKADDR&>(destination);
    if (call.input_length < static_cast<DWORD>(length) || is_any(name))
        return WSAEINVAL;
    if (!call.output)
        return WSAEFAULT;
    if (call.output_length < static_cast<DWORD>(length))
        return call.tell(length, WSAEFAULT);
    InterfaceAddress source;
    if (const int error = source_address(name, source))
        return error;
    return give_output(call, &source.address, source.length);
}

/// SIO_GET_INTERFACE_LIST: the device does it, and says pending with the status block filled.
int get_interface_addresses(IoctlCall& call)
{
    if (!call.output || !guard::is_writable(call.output, call.output_length))
        return call.tell(0, WSAEFAULT);
    if (call.overlapped) {
        kernel::Completion completion;
        if (!completion_from_overlapped(call.overlapped, call.routine, completion))
            return WSAEFAULT;
        call.status = afd_call_overlapped(*call.socket, completion, afd::kIoctlGetInterfaceList,
            nullptr, 0, call.output, call.output_length);
        return kIoctlDone;
    }
    ULONG_PTR size = 0;
    const NTSTATUS status = afd_call(*call.socket, afd::kIoctlGetInterfaceList, nullptr, 0,
        call.output, call.output_length, &size);
    if (!NT_SUCCESS(status))
        return error_from_status(status);
    if (!size)
        return call.tell(0, WSAEFAULT); // The buffer was too small. [WSAIoctl/18]
    call.returned = static_cast<DWORD>(size);
    return 0;
}

} // namespace ws2
