// The WSAAsyncGet* family and WSACancelAsyncRequest: a lookup on a pool thread, its entry in the
// program's buffer, a message to the program's window.
#include <new>

#include "entry_block.h"
#include "error.h"
#include "guard.h"
#include "guard_text.h"
#include "host_entry.h"
#include "host_name.h"
#include "late_library.h"
#include "lock.h"
#include "pool_work.h"
#include "protocols.h"
#include "services.h"
#include "startup.h"

namespace ws2 {

static LateFunction<decltype(&PostMessageW)> post_message(L"user32.dll", "PostMessageW");

/// Where the answer goes.
struct AsyncTarget {
    HWND window;
    unsigned message;
    char* buffer;
    int size;
};

/// A lookup that will end with a message. Owner: its worker. Its arguments are copies; a bad one is
/// told with the message, as every other error.
struct AsyncLookup {
    explicit AsyncLookup(const AsyncTarget& target)
        : target(target)
    {
    }
    virtual ~AsyncLookup() = default;
    void operator delete(void*) { }

    /// Looks up; returns 0 or the error of the message.
    virtual int run() = 0;
    /// Puts what was found into the block.
    virtual void put(EntryBlock& block) const = 0;

    const AsyncTarget target;
    HANDLE task = nullptr;
    AsyncLookup* next = nullptr; // under open_lookups_lock
};

struct AsyncHostByName final : AsyncLookup {
    AsyncHostByName(const AsyncTarget& target, const char* name)
        : AsyncLookup(target)
        , name(name)
    {
    }
    int run() override { return name.text() ? find_host_entry(name.text(), answer) : WSAEFAULT; }
    void put(EntryBlock& block) const override { block.put_host(answer, AF_INET); }

    NameArgument name;
    HostAnswer answer;
};

struct AsyncHostByAddress final : AsyncLookup {
    AsyncHostByAddress(const AsyncTarget& target, const char* source, int length, int family)
        : AsyncLookup(target)
        , error(read_host_address(source, length, family, address))
    {
    }
    int run() override { return error ? error : resolve_address(address, answer); }
    void put(EntryBlock& block) const override { block.put_host(answer, address.family); }

    HostAddress address;
    int error;
    HostAnswer answer;
};

/// Services and protocols: a name or a number, and for services a protocol.
struct AsyncNumber final : AsyncLookup {
    AsyncNumber(const AsyncTarget& target, TableKind kind, const char* name, int number,
        const char* protocol)
        : AsyncLookup(target)
        , kind(kind)
        , name(name)
        , protocol(protocol)
        , number(number)
        , is_bad((number < 0 && !this->name.text()) || (protocol && !this->protocol.text()))
    {
    }
    int run() override
    {
        if (is_bad)
            return WSAEFAULT;
        const NameQuery query
            = { .name = name.text(), .number = number, .protocol = protocol.text() };
        const bool is_found = kind == TableKind::kServices ? find_service(query, found)
                                                           : find_protocol(query, found);
        return is_found ? 0 : WSANO_DATA;
    }
    void put(EntryBlock& block) const override
    {
        if (kind == TableKind::kServices)
            block.put_service(found);
        else
            block.put_protocol(found);
    }

    TableKind kind;
    GuardedText name;
    GuardedText protocol;
    int number;
    bool is_bad;
    NamedNumber found;
};

static SrwLock open_lookups_lock;
static AsyncLookup* open_lookups; // under open_lookups_lock
static ULONG_PTR last_task; // likewise

static void add(AsyncLookup& lookup)
{
    ExclusiveGuard guard(open_lookups_lock);
    lookup.task = reinterpret_cast<HANDLE>(++last_task);
    lookup.next = open_lookups;
    open_lookups = &lookup;
}

/// Takes a lookup out of the list; the lock must be held. False: it has been cancelled.
static bool take_locked(HANDLE task)
{
    for (AsyncLookup** link = &open_lookups; *link; link = &(*link)->next) {
        if ((*link)->task == task) {
            *link = (*link)->next;
            return true;
        }
    }
    return false;
}

static void destroy(AsyncLookup* lookup)
{
    lookup->~AsyncLookup();
    heap_free(lookup);
}

/// Makes the entry for the program's buffer in a draft. Returns 0 or an error, and the size needed.
static int draft_entry(const AsyncLookup& lookup, void*& draft, size_t& size)
{
    EntryBlock measure(nullptr, 0, nullptr);
    lookup.put(measure);
    size = measure.size();
    if (lookup.target.size < 0 || size > static_cast<size_t>(lookup.target.size))
        return WSAENOBUFS;
    draft = heap_allocate(size);
    if (!draft)
        return WSA_NOT_ENOUGH_MEMORY;
    EntryBlock entry(draft, size, lookup.target.buffer);
    lookup.put(entry);
    return 0;
}

static void CALLBACK run_lookup(TP_CALLBACK_INSTANCE*, void* context)
{
    auto* lookup = static_cast<AsyncLookup*>(context);
    const AsyncTarget target = lookup->target;
    const HANDLE task = lookup->task;
    void* draft = nullptr;
    size_t size = 0;
    int error = lookup->run();
    if (!error)
        error = draft_entry(*lookup, draft, size);
    const auto post = post_message.get();
    {
        // Under the lock: once WSACancelAsyncRequest has returned, the program may free its buffer.
        ExclusiveGuard guard(open_lookups_lock);
        if (take_locked(task)) {
            if (!error && !guard::copy(target.buffer, draft, size))
                error = WSAEFAULT;
            if (post)
                post(target.window, target.message, reinterpret_cast<WPARAM>(task),
                    MAKELPARAM(size, error));
        }
    }
    heap_free(draft);
    destroy(lookup);
}

/// Starts a lookup. Returns its task, or null with an error. Arguments are not checked here; their
/// errors come with the message. [WSAAsyncGetXByY/2]
template <typename Lookup, typename... Arguments>
static HANDLE start(const AsyncTarget& target, Arguments... arguments)
{
    if (!is_started()) {
        SetLastError(WSANOTINITIALISED);
        return nullptr;
    }
    void* memory = heap_allocate(sizeof(Lookup));
    if (!memory) {
        SetLastError(WSAENOBUFS);
        return nullptr;
    }
    auto* lookup = new (memory) Lookup(target, arguments...);
    add(*lookup);
    const HANDLE task = lookup->task;
    if (submit_work(run_lookup, static_cast<AsyncLookup*>(lookup))) {
        SetLastError(0);
        return task;
    }
    {
        ExclusiveGuard guard(open_lookups_lock);
        take_locked(task);
    }
    destroy(lookup);
    SetLastError(WSAENOBUFS);
    return nullptr;
}

} // namespace ws2

using namespace ws2;

HANDLE WSAAPI WSAAsyncGetHostByName(
    HWND window, u_int message, const char* name, char* buffer, int size)
{
    return start<AsyncHostByName>({ window, message, buffer, size }, name);
}

HANDLE WSAAPI WSAAsyncGetHostByAddr(
    HWND window, u_int message, const char* address, int length, int family, char* buffer, int size)
{
    return start<AsyncHostByAddress>({ window, message, buffer, size }, address, length, family);
}

HANDLE WSAAPI WSAAsyncGetServByName(
    HWND window, u_int message, const char* name, const char* protocol, char* buffer, int size)
{
    return start<AsyncNumber>(
        { window, message, buffer, size }, TableKind::kServices, name, -1, protocol);
}

HANDLE WSAAPI WSAAsyncGetServByPort(
    HWND window, u_int message, int port, const char* protocol, char* buffer, int size)
{
    const int host_order = __builtin_bswap16(static_cast<u_short>(port));
    return start<AsyncNumber>({ window, message, buffer, size }, TableKind::kServices,
        static_cast<const char*>(nullptr), host_order, protocol);
}

HANDLE WSAAPI WSAAsyncGetProtoByName(
    HWND window, u_int message, const char* name, char* buffer, int size)
{
    return start<AsyncNumber>({ window, message, buffer, size }, TableKind::kProtocols, name, -1,
        static_cast<const char*>(nullptr));
}

HANDLE WSAAPI WSAAsyncGetProtoByNumber(
    HWND window, u_int message, int number, char* buffer, int size)
{
    // Only the number's 16 bits can match; a negative one matches nothing.
    constexpr int kNoProtocol = 0x10000;
    return start<AsyncNumber>({ window, message, buffer, size }, TableKind::kProtocols,
        static_cast<const char*>(nullptr), number < 0 ? kNoProtocol : number,
        static_cast<const char*>(nullptr));
}

int WSAAPI WSACancelAsyncRequest(HANDLE task)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    ExclusiveGuard guard(open_lookups_lock);
    if (take_locked(task))
        return succeed();
    const auto number = reinterpret_cast<ULONG_PTR>(task);
    return fail(number && number <= last_task ? WSAEALREADY : WSAEINVAL);
}
