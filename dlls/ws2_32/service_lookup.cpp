// Lookups in name spaces: WSALookupServiceBegin/Next/End, WSANSPIoctl.
//
// One name space can be searched, the one of networks (NS_NLA), which programs ask whether they are
// online. Names of hosts are resolved by getaddrinfo and its relatives.
#include "service_lookup.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

#include "error.h"
#include "guard.h"
#include "host_name.h"
#include "lock.h"
#include "own_addresses.h"
#include "startup.h"

namespace ws2 {

namespace {

constexpr GUID kNetworkProvider = NLA_NAMESPACE_GUID;
constexpr GUID kNetworkClass = NLA_SERVICE_CLASS_GUID;

/// The networks found by one WSALookupServiceBegin. Under lookups_lock, but for its making.
struct Lookup {
    HANDLE handle = nullptr; // a number of our own, never reused
    DWORD flags = 0; // LUP_*
    HeapArray<OwnNetwork> all; // that there were
    HeapArray<OwnNetwork> networks; // that suit
    size_t position = 0; // of the next network to give
    bool is_refused = false; // it did not fit the buffer of the last call
    Lookup* next = nullptr;
};

SrwLock lookups_lock;
Lookup* lookups;
ULONG_PTR last_handle;

void destroy(Lookup* lookup)
{
    lookup->~Lookup();
    heap_free(lookup);
}

/// The link to a lookup; to null when there is none of that handle. The lock must be held.
Lookup** find(HANDLE handle)
{
    Lookup** link = &lookups;
    while (*link && (*link)->handle != handle)
        link = &(*link)->next;
    return link;
}

/// Is the restriction absent, or this very one? Returns 0, WSAEFAULT or WSASERVICE_NOT_FOUND.
int check_restriction(const GUID* restriction, const GUID& wanted)
{
    GUID id;
    if (!restriction)
        return 0;
    if (!guard::read(restriction, id))
        return WSAEFAULT;
    return IsEqualGUID(id, wanted) ? 0 : WSASERVICE_NOT_FOUND;
}

/// Collects what a query asks for. Returns 0 with at least one network, or the error: a list
/// without any would say that the computer is offline. [service-providers/15]
template <typename Query> int find_networks(const Query& query, Lookup& lookup)
{
    if (query.dwNameSpace != NS_ALL && query.dwNameSpace != NS_NLA)
        return WSASERVICE_NOT_FOUND;
    if (const int error = check_restriction(query.lpServiceClassId, kNetworkClass))
        return error;
    if (const int error = check_restriction(query.lpNSProviderId, kNetworkProvider))
        return error;
    const NameArgument name(query.lpszServiceInstanceName);
    if (name.is_bad())
        return WSAEFAULT;
    if (const int error = list_own_networks(lookup.all))
        return error;
    for (const OwnNetwork& network : lookup.all) {
        const bool suits = !name.text() || equal_names(name.text(), network.name);
        if (suits && !lookup.networks.append(network))
            return WSA_NOT_ENOUGH_MEMORY;
    }
    return lookup.networks.count() ? 0 : WSASERVICE_NOT_FOUND;
}

bool are_same(const HeapArray<OwnNetwork>& some, const HeapArray<OwnNetwork>& others)
{
    return std::equal(some.begin(), some.end(), others.begin(), others.end(),
        [](const OwnNetwork& one, const OwnNetwork& other) {
            return !std::strcmp(one.adapter, other.adapter) && !lstrcmpW(one.name, other.name)
                && one.type == other.type && one.speed == other.speed;
        });
}

/// Has anything changed since the lookup began? Returns 0, WSAEWOULDBLOCK for no, or the error.
int look_for_change(HANDLE handle)
{
    HeapArray<OwnNetwork> now;
    if (const int error = list_own_networks(now))
        return error;
    SharedGuard guard(lookups_lock);
    const Lookup* const lookup = *find(handle);
    if (!lookup)
        return WSA_INVALID_HANDLE;
    return are_same(lookup->all, now) ? WSAEWOULDBLOCK : 0;
}

template <typename Query> int begin_lookup(const Query* restrictions, DWORD flags, HANDLE* handle)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    Query query;
    if (!restrictions || !guard::read(&restrictions->dwSize, query.dwSize) || !handle
        || !guard::is_writable(handle, sizeof(*handle)))
        return fail(WSAEFAULT);
    if (query.dwSize < sizeof(query))
        return fail(WSAEINVAL);
    if (!guard::read(restrictions, query))
        return fail(WSAEFAULT);
    void* memory = heap_allocate(sizeof(Lookup));
    if (!memory)
        return fail(WSA_NOT_ENOUGH_MEMORY);
    auto* lookup = new (memory) Lookup;
    lookup->flags = flags;
    if (const int error = find_networks(query, *lookup)) {
        destroy(lookup);
        return fail(error);
    }
    ExclusiveGuard guard(lookups_lock);
    last_handle += sizeof(HANDLE);
    lookup->handle = reinterpret_cast<HANDLE>(last_handle);
    lookup->next = lookups;
    lookups = lookup;
    guard::write(handle, lookup->handle);
    return succeed();
}

/// What NLA_BLOB is for an interface and for the connectivity of its network, one after the other.
struct NetworkBlob {
    struct Header {
        NLA_BLOB_DATA_TYPE type;
        DWORD size;
        DWORD next_offset; // from the beginning; 0 for the last
    };
    struct {
        Header header;
        DWORD type;
        DWORD speed;
        char adapter[sizeof(OwnNetwork::adapter)];
    } of_interface;
    struct {
        Header header;
        NLA_CONNECTIVITY_TYPE type;
        NLA_INTERNET internet;
    } connectivity;

    explicit NetworkBlob(const OwnNetwork& network)
        : of_interface { { NLA_INTERFACE, sizeof(of_interface), sizeof(of_interface) },
            network.type, network.speed, {} }
        , connectivity { { NLA_CONNECTIVITY, sizeof(connectivity), 0 }, NLA_NETWORK_UNKNOWN,
            NLA_INTERNET_UNKNOWN }
    {
        std::memcpy(of_interface.adapter, network.adapter, sizeof(network.adapter));
    }
};

int copy_text(const wchar_t* text, char* target, int size)
{
    return WideCharToMultiByte(CP_ACP, 0, text, -1, target, size, nullptr, nullptr);
}

int copy_text(const wchar_t* text, wchar_t* target, int size)
{
    lstrcpynW(target, text, size);
    return lstrlenW(target) + 1;
}

/// A result with all it points to, made for the place where the program wants it.
template <typename Query> class Result {
public:
    explicit Result(void* home)
        : m_home(static_cast<char*>(home))
    {
    }

    /// `what` are flags LUP_RETURN_*.
    void put(const OwnNetwork& network, DWORD what)
    {
        Query set = {};
        set.dwSize = sizeof(set);
        set.dwNameSpace = NS_NLA;
        add(&set, 1);
        set.lpNSProviderId = add(&kNetworkProvider, 1);
        if (what & LUP_RETURN_TYPE)
            set.lpServiceClassId = add(&kNetworkClass, 1);
        if (what & LUP_RETURN_NAME) {
            std::remove_reference_t<decltype(*set.lpszServiceInstanceName)> name[kMaxName];
            set.lpszServiceInstanceName = add(name, copy_text(network.name, name, kMaxName));
        }
        if (what & LUP_RETURN_BLOB) {
            const NetworkBlob data(network);
            BLOB blob = { sizeof(data), nullptr };
            blob.pBlobData = reinterpret_cast<BYTE*>(add(&data, 1));
            set.lpBlob = add(&blob, 1);
        }
        std::memcpy(m_bytes, &set, sizeof(set));
    }

    const void* bytes() const { return m_bytes; }
    DWORD size() const { return m_size; }

private:
    static constexpr int kMaxName = 3 * std::size(OwnNetwork().name);

    /// Appends items and returns where they will be.
    template <typename T> T* add(const T* items, size_t count)
    {
        m_size = (m_size + alignof(T) - 1) & ~(alignof(T) - 1);
        char* const home = m_home + m_size;
        std::memcpy(m_bytes + m_size, items, count * sizeof(T));
        m_size += count * sizeof(T);
        return reinterpret_cast<std::remove_const_t<T>*>(home);
    }

    char* m_home;
    DWORD m_size = 0;
    char m_bytes[sizeof(Query) + 2 * sizeof(GUID) + kMaxName * sizeof(wchar_t) + sizeof(BLOB)
        + sizeof(NetworkBlob) + 5 * alignof(void*)];
};

template <typename Query> int next_result(HANDLE handle, DWORD flags, DWORD* length, Query* target)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    ExclusiveGuard guard(lookups_lock);
    Lookup* const lookup = *find(handle);
    if (!lookup)
        return fail(WSA_INVALID_HANDLE);
    DWORD room;
    if (!length || !guard::read(length, room))
        return fail(WSAEFAULT);
    if ((flags & LUP_FLUSHPREVIOUS) && lookup->is_refused)
        ++lookup->position;
    lookup->is_refused = false;
    if (lookup->position == lookup->networks.count())
        return fail(WSA_E_NO_MORE);
    Result<Query> result(target);
    // This call can ask for less than the first one, never for more. [service-providers/16]
    result.put(lookup->networks[lookup->position], lookup->flags & flags);
    if (room < result.size() || !target || !guard::copy(target, result.bytes(), result.size())) {
        lookup->is_refused = true;
        guard::write(length, result.size());
        return fail(WSAEFAULT);
    }
    ++lookup->position;
    return succeed();
}

} // namespace

void free_service_lookups()
{
    while (Lookup* lookup = lookups) {
        lookups = lookup->next;
        destroy(lookup);
    }
}

} // namespace ws2

using namespace ws2;

INT WSAAPI WSALookupServiceBeginA(WSAQUERYSETA* restrictions, DWORD flags, HANDLE* lookup)
{
    return begin_lookup(restrictions, flags, lookup);
}

INT WSAAPI WSALookupServiceBeginW(WSAQUERYSETW* restrictions, DWORD flags, HANDLE* lookup)
{
    return begin_lookup(restrictions, flags, lookup);
}

INT WSAAPI WSALookupServiceNextA(HANDLE lookup, DWORD flags, DWORD* length, WSAQUERYSETA* results)
{
    return next_result(lookup, flags, length, results);
}

INT WSAAPI WSALookupServiceNextW(HANDLE lookup, DWORD flags, DWORD* length, WSAQUERYSETW* results)
{
    return next_result(lookup, flags, length, results);
}

INT WSAAPI WSALookupServiceEnd(HANDLE handle)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    ExclusiveGuard guard(lookups_lock);
    Lookup** const link = find(handle);
    Lookup* const lookup = *link;
    if (!lookup)
        return fail(WSA_INVALID_HANDLE);
    *link = lookup->next;
    destroy(lookup);
    return succeed();
}

INT WSAAPI WSANSPIoctl(HANDLE lookup, DWORD code, void*, DWORD, void*, DWORD, DWORD* returned,
    WSACOMPLETION* completion)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    WSACOMPLETIONTYPE type = NSP_NOTIFY_IMMEDIATELY;
    if (!returned || !guard::is_writable(returned, sizeof(*returned))
        || (completion && !guard::read(&completion->Type, type)))
        return fail(WSAEFAULT);
    {
        SharedGuard guard(lookups_lock);
        if (!*find(lookup))
            return fail(WSA_INVALID_HANDLE);
    }
    // It can be asked, but nobody tells of changes of networks. [service-providers/23]
    if (code != SIO_NSP_NOTIFY_CHANGE || type != NSP_NOTIFY_IMMEDIATELY)
        return fail(WSAEOPNOTSUPP);
    if (const int error = look_for_change(lookup))
        return fail(error);
    guard::write(returned, DWORD { 0 });
    return succeed();
}
