// The one core under getaddrinfo, GetAddrInfoW, GetAddrInfoExA and GetAddrInfoExW.
#pragma once

#include <new>

#include "guard.h"
#include "host_name.h"
#include "resolver.h"

namespace ws2 {

/// What is asked. The texts belong to the caller; null is "not given".
struct AddressQuery {
    const wchar_t* node = nullptr;
    const wchar_t* service = nullptr;
    int flags = 0; // AI_*
    int family = AF_UNSPEC;
    int type = 0;
    int protocol = 0;
    bool takes_idn = false; // labels of the node beyond ASCII are encoded, as in wide text
    bool has_both_names = false; // the result has room for AI_CANONNAME and AI_FQDN
};

/// What came out: every address goes with the port.
struct AddressAnswer {
    HostAnswer host;
    u_short port = 0; // host order
    bool has_canonical_name = false; // host.name is to be given with the first address
};

/// Takes the hints. Returns 0 or the error. [getaddrinfo/2]
template <typename Info> int read_hints(const Info* hints, AddressQuery& query)
{
    if (!hints)
        return 0;
    Info copy;
    if (!guard::read(hints, copy))
        return WSAEFAULT;
    if (copy.ai_addrlen || copy.ai_canonname || copy.ai_addr || copy.ai_next)
        return WSANO_RECOVERY;
    query.flags = copy.ai_flags;
    query.family = copy.ai_family;
    query.type = copy.ai_socktype;
    query.protocol = copy.ai_protocol;
    return 0;
}

/// Checks what needs no lookup. Returns 0 or a Winsock error; the order of the checks is the
/// contract. [getaddrinfo/3]
int check_query(const AddressQuery& query);

/// Returns 0 or a Winsock error. Source: spec/getaddrinfo.md.
int query_addresses(const AddressQuery& query, AddressAnswer& answer);

/// The flags a result repeats from its query. [getaddrinfo/17]
int result_flags(int query_flags);

/// The IPv4 address in IPv6's form.
HostAddress v4_mapped(const HostAddress& address);

/// Fills a socket address; the port is in host order. Returns its length.
int fill_socket_address(const HostAddress& address, u_short port, SOCKADDR_STORAGE& target);

/// Copies a name into the characters of a list; `size` counts them with the terminator.
int copy_name(const wchar_t* name, char* target, int size);
int copy_name(const wchar_t* name, wchar_t* target, int size);

/// Frees a list made by make_address_list. Null is allowed.
template <typename Info> void free_address_list(Info* list)
{
    while (list) {
        Info* next = list->ai_next;
        heap_free(list); // One block per entry: address and name are inside.
        list = next;
    }
}

/// Makes the list of a family of structures (ADDRINFOA, ADDRINFOW, ADDRINFOEXW). Null when memory
/// is out. Owner: the caller, until free_address_list.
template <typename Info>
Info* make_address_list(const AddressQuery& query, const AddressAnswer& answer)
{
    using Char = std::remove_cvref_t<decltype(*Info::ai_canonname)>;
    struct Entry {
        Info info;
        SOCKADDR_STORAGE address;
        Char name[1];
    };
    Info* list = nullptr;
    Info** end = &list;
    for (const HostAddress& address : answer.host.addresses) {
        const bool is_named = answer.has_canonical_name && !list;
        const int name_size
            = is_named ? copy_name(answer.host.name, static_cast<Char*>(nullptr), 0) : 0;
        void* memory = heap_allocate(sizeof(Entry) + name_size * sizeof(Char));
        if (!memory) {
            free_address_list(list);
            return nullptr;
        }
        auto* entry = new (memory) Entry {};
        entry->info.ai_flags = result_flags(query.flags);
        entry->info.ai_family = address.family;
        entry->info.ai_socktype = query.type;
        entry->info.ai_protocol = query.protocol;
        entry->info.ai_addrlen = fill_socket_address(address, answer.port, entry->address);
        entry->info.ai_addr = reinterpret_cast<SOCKADDR*>(&entry->address);
        if (is_named) {
            copy_name(answer.host.name, entry->name, name_size);
            entry->info.ai_canonname = entry->name;
            // No other name is known to be the full one.
            if constexpr (requires { entry->info.ai_fqdn; })
                entry->info.ai_fqdn = query.flags & AI_FQDN ? entry->name : nullptr;
        }
        *end = &entry->info;
        end = &entry->info.ai_next;
    }
    return list;
}

/// A look-up that ends with the call. `query` has what differs by function; the program's arguments
/// are added. Returns 0 with the list, which is the caller's until free_address_list, or the error.
template <typename Char, typename Hints, typename Info>
int look_up_addresses(
    const Char* node, const Char* service, const Hints* hints, AddressQuery query, Info*& list)
{
    const NameArgument node_argument(node);
    const NameArgument service_argument(service);
    if (node_argument.is_bad() || service_argument.is_bad())
        return WSAEFAULT;
    query.node = node_argument.text();
    query.service = service_argument.text();
    if (int error = read_hints(hints, query))
        return error;
    AddressAnswer answer;
    if (int error = query_addresses(query, answer))
        return error;
    list = make_address_list<Info>(query, answer);
    return list ? 0 : WSA_NOT_ENOUGH_MEMORY;
}

} // namespace ws2
