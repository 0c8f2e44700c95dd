// GetAddrInfoExW with its completion, GetAddrInfoExCancel, GetAddrInfoExOverlappedResult,
// FreeAddrInfoExW.
#include "address_info_ex.h"
#include "caller.h"
#include "error.h"
#include "guard.h"
#include "host_name.h"
#include "lock.h"
#include "namespace_provider.h"
#include "pool_work.h"
#include "startup.h"

// Missing from the SDK's ws2tcpip.h.
extern "C" {
int WSAAPI GetAddrInfoExCancel(HANDLE* handle);
int WSAAPI GetAddrInfoExOverlappedResult(OVERLAPPED* overlapped);
}

namespace ws2 {

using CompletionRoutine = void(CALLBACK*)(DWORD error, DWORD bytes, OVERLAPPED* overlapped);

/// A lookup in progress. Owner: its worker, which frees it at its end. Whoever takes it out of the
/// list of open lookups completes it: worker, canceller or timer, and nobody twice.
struct Lookup {
    Lookup(const wchar_t* node, const wchar_t* service)
        : node(node)
        , service(service)
    {
    }

    NameArgument node;
    NameArgument service;
    AddressQuery query;
    AddressInfoEx** result;
    OVERLAPPED* overlapped;
    CompletionRoutine routine;
    HANDLE handle; // a number of our own, never reused
    TP_TIMER* timer = nullptr;
    Lookup* next = nullptr; // under open_lookups_lock
};

static SrwLock open_lookups_lock;
static Lookup* open_lookups; // under open_lookups_lock
static ULONG_PTR last_handle; // likewise

static void open(Lookup& lookup)
{
    ExclusiveGuard guard(open_lookups_lock);
    last_handle += sizeof(HANDLE);
    lookup.handle = reinterpret_cast<HANDLE>(last_handle);
    lookup.next = open_lookups;
    open_lookups = &lookup;
}

/// Takes a lookup out of the list, by itself or its handle; null when it is not there any more.
static Lookup* take(const Lookup* wanted, HANDLE handle)
{
    ExclusiveGuard guard(open_lookups_lock);
    for (Lookup** link = &open_lookups; *link; link = &(*link)->next) {
        Lookup* lookup = *link;
        if (lookup != wanted && lookup->handle != handle)
            continue;
        *link = lookup->next;
        return lookup;
    }
    return nullptr;
}

/// Tells the program. The lookup is not touched after the program could know: it may start another
/// with the same structures at once.
static void complete(OVERLAPPED* overlapped, AddressInfoEx** result, CompletionRoutine routine,
    int error, AddressInfoEx* list)
{
    if (!guard::write(result, list))
        free_address_list(list);
    const HANDLE event = overlapped->hEvent;
    overlapped->Pointer = result;
    __atomic_store_n(&overlapped->Internal, static_cast<ULONG_PTR>(error), __ATOMIC_RELEASE);
    if (routine)
        routine(error, 0, overlapped);
    else if (event)
        WSASetEvent(event);
}

static void CALLBACK run_lookup(TP_CALLBACK_INSTANCE*, void* context)
{
    auto* lookup = static_cast<Lookup*>(context);
    AddressInfoEx* list = nullptr;
    int error;
    {
        AddressAnswer answer;
        error = query_addresses(lookup->query, answer);
        if (!error) {
            list = make_address_list<AddressInfoEx>(lookup->query, answer);
            error = list ? 0 : WSA_NOT_ENOUGH_MEMORY;
        }
    }
    const bool is_ours = take(lookup, nullptr);
    if (lookup->timer) {
        SetThreadpoolTimer(lookup->timer, nullptr, 0, 0);
        WaitForThreadpoolTimerCallbacks(lookup->timer, TRUE);
        CloseThreadpoolTimer(lookup->timer);
    }
    OVERLAPPED* const overlapped = lookup->overlapped;
    AddressInfoEx** const result = lookup->result;
    const CompletionRoutine routine = lookup->routine;
    lookup->~Lookup();
    heap_free(lookup);
    if (is_ours)
        complete(overlapped, result, routine, error, list);
    else
        free_address_list(list); // Cancelled or too late: the program has its answer.
}

static void CALLBACK lookup_timed_out(TP_CALLBACK_INSTANCE*, void* context, TP_TIMER*)
{
    auto* lookup = static_cast<Lookup*>(context);
    // The worker waits for this callback before it frees the lookup.
    if (take(lookup, nullptr))
        complete(lookup->overlapped, lookup->result, lookup->routine, WSAETIMEDOUT, nullptr);
}

/// What a canceller hands to the pool: the routine must not run on the canceller's stack.
struct Cancellation {
    OVERLAPPED* overlapped;
    AddressInfoEx** result;
    CompletionRoutine routine;
};

static void CALLBACK tell_cancelled(TP_CALLBACK_INSTANCE*, void* context)
{
    const Cancellation told = *static_cast<Cancellation*>(context);
    heap_free(context);
    complete(told.overlapped, told.result, told.routine, WSA_E_CANCELLED, nullptr);
}

static int cancel(HANDLE handle)
{
    auto* told = static_cast<Cancellation*>(heap_allocate(sizeof(Cancellation)));
    if (!told)
        return WSA_NOT_ENOUGH_MEMORY;
    {
        // The worker cannot free the lookup while its completion data are read: it has to take the
        // list's lock first.
        ExclusiveGuard guard(open_lookups_lock);
        Lookup** link = &open_lookups;
        while (*link && (*link)->handle != handle)
            link = &(*link)->next;
        if (!*link) {
            heap_free(told);
            return WSA_INVALID_HANDLE;
        }
        *told = { (*link)->overlapped, (*link)->result, (*link)->routine };
        *link = (*link)->next;
    }
    if (!told->routine || !submit_work(tell_cancelled, told))
        tell_cancelled(nullptr, told);
    return 0;
}

/// Relative due time of a timer, in 100 ns.
static FILETIME due_time(const timeval& timeout)
{
    LARGE_INTEGER due;
    due.QuadPart = -(timeout.tv_sec * 10'000'000LL + timeout.tv_usec * 10LL);
    return { due.LowPart, static_cast<DWORD>(due.HighPart) };
}

/// Starts a lookup on the pool. Returns WSA_IO_PENDING, or an error and nothing was started.
static int start_lookup(Lookup* lookup, const timeval* timeout, HANDLE* handle)
{
    if (timeout) {
        TP_CALLBACK_ENVIRON environment = pool_environment();
        lookup->timer = CreateThreadpoolTimer(lookup_timed_out, lookup, &environment);
        if (!lookup->timer)
            return WSA_NOT_ENOUGH_MEMORY;
    }
    lookup->overlapped->Internal = WSAEINPROGRESS;
    lookup->overlapped->Pointer = lookup->result;
    if (lookup->overlapped->hEvent)
        WSAResetEvent(lookup->overlapped->hEvent);
    open(*lookup);
    if (handle)
        guard::write(handle, lookup->handle);
    if (timeout) {
        FILETIME due = due_time(*timeout);
        SetThreadpoolTimer(lookup->timer, &due, 0, 0);
    }
    if (submit_work(run_lookup, lookup))
        return WSA_IO_PENDING;
    take(lookup, nullptr);
    if (lookup->timer) {
        SetThreadpoolTimer(lookup->timer, nullptr, 0, 0);
        WaitForThreadpoolTimerCallbacks(lookup->timer, TRUE);
        CloseThreadpoolTimer(lookup->timer);
    }
    return WSA_NOT_ENOUGH_MEMORY;
}

/// How the result is to be given.
struct Delivery {
    const timeval* timeout;
    OVERLAPPED* overlapped;
    CompletionRoutine routine;
    HANDLE* handle;
};

static int look_up(const wchar_t* node, const wchar_t* service, const ADDRINFOEXW* hints,
    AddressInfoEx** result, const Delivery& delivery)
{
    void* memory = heap_allocate(sizeof(Lookup));
    if (!memory)
        return WSA_NOT_ENOUGH_MEMORY;
    auto* lookup = new (memory) Lookup(node, service);
    lookup->query.node = lookup->node.text();
    lookup->query.service = lookup->service.text();
    lookup->query.takes_idn = true;
    lookup->query.has_both_names = true;
    lookup->result = result;
    lookup->overlapped = delivery.overlapped;
    lookup->routine = delivery.routine;
    int error = lookup->node.is_bad() || lookup->service.is_bad()
        ? WSAEFAULT
        : read_hints(hints, lookup->query);
    if (!error)
        error = check_query(lookup->query);
    if (!error && delivery.overlapped) {
        error = start_lookup(lookup, delivery.timeout, delivery.handle);
    } else if (!error) {
        AddressAnswer answer;
        error = query_addresses(lookup->query, answer);
        if (!error) {
            *result = make_address_list<AddressInfoEx>(lookup->query, answer);
            error = *result ? 0 : WSA_NOT_ENOUGH_MEMORY;
        }
    }
    if (error != WSA_IO_PENDING || !delivery.overlapped) {
        lookup->~Lookup();
        heap_free(lookup);
    }
    return error;
}

/// A call that blocks, but not for longer than its time-out: the same lookup with an event of ours.
static int look_up_in_time(const wchar_t* node, const wchar_t* service, const ADDRINFOEXW* hints,
    AddressInfoEx** result, const timeval& timeout)
{
    OVERLAPPED overlapped = {};
    overlapped.hEvent = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    if (!overlapped.hEvent)
        return WSA_NOT_ENOUGH_MEMORY;
    int error = look_up(node, service, hints, result, { &timeout, &overlapped, nullptr, nullptr });
    if (error == WSA_IO_PENDING) {
        WaitForSingleObject(overlapped.hEvent, INFINITE);
        error = static_cast<int>(overlapped.Internal);
    }
    CloseHandle(overlapped.hEvent);
    return error;
}

static int get_address_info_ex(const void* caller, const wchar_t* node, const wchar_t* service,
    DWORD name_space, const GUID* provider, const ADDRINFOEXW* hints, AddressInfoEx** result,
    const Delivery& delivery)
{
    if (!is_started_for(caller))
        return WSANOTINITIALISED;
    AddressInfoEx* const none = nullptr;
    if (!guard::write(result, none))
        return WSAEFAULT;
    if (int error = check_host_name_space(name_space, provider))
        return error;
    if (delivery.overlapped && !guard::is_writable(delivery.overlapped, sizeof(OVERLAPPED)))
        return WSAEFAULT;
    // Either an event or a routine. [GetAddrInfoEx/3]
    if (delivery.routine && (!delivery.overlapped || delivery.overlapped->hEvent))
        return WSAEINVAL;
    timeval timeout;
    if (delivery.timeout && !guard::read(delivery.timeout, timeout))
        return WSAEFAULT;
    if (delivery.timeout && !delivery.overlapped)
        return look_up_in_time(node, service, hints, result, timeout);
    return look_up(node, service, hints, result, delivery);
}

static int finish(int error)
{
    SetLastError(error);
    return error;
}

} // namespace ws2

using namespace ws2;

int WSAAPI GetAddrInfoExW(const wchar_t* node, const wchar_t* service, DWORD name_space,
    GUID* provider, const ADDRINFOEXW* hints, ADDRINFOEXW** result, timeval* timeout,
    OVERLAPPED* overlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE routine, HANDLE* handle)
{
    return finish(get_address_info_ex(WS2_CALLER, node, service, name_space, provider, hints,
        reinterpret_cast<AddressInfoEx**>(result),
        { timeout, overlapped, reinterpret_cast<CompletionRoutine>(routine), handle }));
}

int WSAAPI GetAddrInfoExCancel(HANDLE* handle)
{
    HANDLE value;
    if (!handle || !guard::read(handle, value))
        return finish(WSA_INVALID_HANDLE);
    return finish(cancel(value));
}

int WSAAPI GetAddrInfoExOverlappedResult(OVERLAPPED* overlapped)
{
    OVERLAPPED copy;
    if (!overlapped || !guard::read(overlapped, copy))
        return finish(WSAEINVAL);
    return finish(static_cast<int>(copy.Internal));
}

void WSAAPI FreeAddrInfoExW(ADDRINFOEXW* list)
{
    free_address_list(reinterpret_cast<AddressInfoEx*>(list));
}
