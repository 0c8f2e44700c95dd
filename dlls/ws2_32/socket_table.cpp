// The table of the process' sockets: a direct index by handle value, in pages made on first use.
// Every slot has its own lock, so looking up one socket never waits for another.
#include "afd_call.h"
#include "error.h"
#include "kernel.h"
#include "pump.h"
#include "rio.h"
#include "socket.h"
#include "socket_notifications.h"
#include "startup.h"

#include <new>

namespace ws2 {

namespace {

/// One handle value. `lock` guards the rest; `socket` holds a reference.
struct Slot {
    SrwLock lock;
    Socket* socket = nullptr;
    // A socket that has been taken out but whose handle is still open must not be taken in again:
    // from closesocket on it is none. [closesocket/1]
    uint32_t closes_begun = 0;
    uint32_t closes_done = 0;
};

// A Windows process has at most 16,777,216 handles, whose values are multiples of 4.
constexpr size_t kSlotsPerPage = 1024;
constexpr size_t kPages = 16384;

struct Page {
    Slot slots[kSlotsPerPage];
};

std::atomic<Page*> pages[kPages]; // pages live as long as the DLL

/// Index of the slot for a handle value; the low two bits of a handle mean nothing.
size_t slot_index(SOCKET socket)
{
    return static_cast<size_t>(socket) >> 2;
}

Slot* find_slot(SOCKET socket)
{
    const size_t index = slot_index(socket);
    if (index >= kPages * kSlotsPerPage)
        return nullptr;
    Page* page = pages[index / kSlotsPerPage].load(std::memory_order_acquire);
    return page ? &page->slots[index % kSlotsPerPage] : nullptr;
}

Slot* make_slot(SOCKET socket)
{
    const size_t index = slot_index(socket);
    if (index >= kPages * kSlotsPerPage)
        return nullptr;
    std::atomic<Page*>& entry = pages[index / kSlotsPerPage];
    if (!entry.load(std::memory_order_acquire)) {
        void* memory = HeapAlloc(GetProcessHeap(), 0, sizeof(Page));
        if (!memory)
            return nullptr;
        Page* page = new (memory) Page;
        Page* expected = nullptr;
        if (!entry.compare_exchange_strong(expected, page))
            HeapFree(GetProcessHeap(), 0, memory); // Another thread was first.
    }
    return find_slot(socket);
}

} // namespace

/// What the table may do to a socket: make it, reference it and take its share back.
class SocketTable {
public:
    static Socket* create(HANDLE handle, int family, int type, int protocol, DWORD flags)
    {
        void* memory = HeapAlloc(GetProcessHeap(), 0, sizeof(Socket));
        return memory ? new (memory) Socket(handle, family, type, protocol, flags) : nullptr;
    }

    static SocketRef reference(Slot& slot)
    {
        SharedGuard guard(slot.lock);
        if (slot.socket)
            slot.socket->reference();
        return SocketRef(slot.socket);
    }

    /// Puts a socket into a slot. Null: `known_closes` closes of the slot are known, and more have
    /// begun.
    static SocketRef insert(Slot& slot, Socket* socket, const uint32_t* known_closes)
    {
        if (!socket)
            return {};
        Socket* stale = nullptr;
        bool is_closed = false;
        {
            ExclusiveGuard guard(slot.lock);
            is_closed = known_closes && slot.closes_begun != *known_closes;
            if (!is_closed)
                stale = std::exchange(slot.socket, socket);
        }
        if (is_closed) {
            HeapFree(GetProcessHeap(), 0, socket);
            return {};
        }
        // A socket that was closed behind our back: its handle value now means the new one.
        if (stale)
            abandon(*stale);
        return SocketRef(socket);
    }

    /// The handle that a socket taken out had is closed.
    static void end_close(Socket& socket)
    {
        Slot* slot = find_slot(socket_from_handle(socket.handle));
        ExclusiveGuard guard(slot->lock);
        ++slot->closes_done;
    }

    /// Does a call hold the handle, beside the one that closes it and the table?
    static bool is_in_use(const Socket& socket)
    {
        return socket.m_references.load(std::memory_order_acquire) / Socket::kHandle > 2;
    }

    /// Drops the table's reference; requests of registered I/O end with the handle.
    static void dereference(Socket& socket)
    {
        notifications::end(socket);
        rio::RequestQueue* const queue = socket.request_queue.exchange(nullptr);
        socket.dereference();
        if (queue)
            rio::end(*queue);
    }
    static void close_handle(Socket& socket) { socket.close_handle(); }

    /// Drops the table's reference to a socket whose handle is not ours any more.
    static void abandon(Socket& socket)
    {
        socket.m_handle_is_ours = false;
        dereference(socket);
    }
};

void Socket::close_handle()
{
    if (!m_handle_is_ours.exchange(false))
        return;
    kernel::close(handle);
    if (closing)
        SocketTable::end_close(*this);
}

void Socket::dereference_handle()
{
    const uint64_t before = m_references.fetch_sub(kHandle, std::memory_order_acq_rel);
    if (before >= 2 * kHandle)
        return;
    // No request runs any more: the emulation may let go of its descriptor.
    filter::close(*this);
    close_handle();
}

void Socket::dereference_memory()
{
    const uint64_t before = m_references.fetch_sub(kMemory, std::memory_order_acq_rel);
    if ((before & (kHandle - 1)) != kMemory)
        return;
    filter::release(*this);
    gathered_files.free_all();
    HeapFree(GetProcessHeap(), 0, this);
}

void Socket::dereference()
{
    // One step while others hold the handle. The last one must close it before its memory reference
    // goes, so it takes two.
    uint64_t before = m_references.load(std::memory_order_relaxed);
    while (before >= 2 * kHandle) {
        if (m_references.compare_exchange_weak(
                before, before - kHandle - kMemory, std::memory_order_acq_rel))
            return;
    }
    dereference_handle();
    dereference_memory();
}

void Socket::forget_names()
{
    ExclusiveGuard guard(lock);
    local_name.length = 0;
    peer_name.length = 0;
}

SocketRef find_known_socket(SOCKET socket)
{
    Slot* slot = find_slot(socket);
    return slot ? SocketTable::reference(*slot) : SocketRef();
}

/// The WSA_FLAG_* a handle of unknown origin was opened with, as far as the kernel tells them.
static DWORD query_flags(HANDLE handle, int family)
{
    if (family == AF_UNIX)
        return WSA_FLAG_OVERLAPPED; // always [af_unix/1]
    ULONG mode = 0; // FileModeInformation: FILE_SYNCHRONOUS_IO_* of the handle
    IO_STATUS_BLOCK iosb;
    constexpr auto kFileModeInformation = static_cast<FILE_INFORMATION_CLASS>(16);
    NtQueryInformationFile(handle, &iosb, &mode, sizeof(mode), kFileModeInformation);
    const bool synchronous = mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT);
    return synchronous ? 0 : WSA_FLAG_OVERLAPPED;
}

/// Lets closes of this value come to their end and tells how many there have been. False: one does
/// not end.
static bool wait_for_closes(SOCKET socket, uint32_t& closes)
{
    constexpr int kMostTurns = 1000; // the thread that closes may be suspended
    closes = 0;
    Slot* slot = find_slot(socket);
    for (int turn = 0; slot && turn < kMostTurns; ++turn) {
        {
            SharedGuard guard(slot->lock);
            closes = slot->closes_begun;
            if (slot->closes_done == closes)
                return true;
        }
        SwitchToThread();
    }
    return !slot;
}

/// Sockets of ntke's have the mode that whoever gives them on has set; of the host's the host
/// knows it. [af_unix/13]
static bool is_nonblocking_already(HANDLE handle, int family)
{
    ULONG is_nonblocking = 0;
    return family == AF_UNIX
        && NT_SUCCESS(afd_call(
            handle, afd::kIoctlGetMode, nullptr, 0, &is_nonblocking, sizeof(is_nonblocking)))
        && is_nonblocking;
}

SocketRef adopt_socket(SOCKET socket, const DWORD* flags)
{
    // Pseudo handles and values no handle can have need no question.
    if (slot_index(socket) == 0 || slot_index(socket) >= kPages * kSlotsPerPage)
        return {};
    uint32_t known_closes;
    if (!wait_for_closes(socket, known_closes))
        return {};
    HANDLE handle = handle_from_socket(socket);
    afd::InfoResult info;
    if (!NT_SUCCESS(afd_call(handle, afd::kIoctlGetInfo, nullptr, 0, &info, sizeof(info))))
        return {};
    if (!info.type)
        return {}; // A handle of the device that was made no socket of: the DLL polls on such ones.
    // ReadFile on it waits for the pump, and need not come by here.
    if (info.family == AF_UNIX && !pump::start())
        return {};
    Slot* slot = make_slot(socket);
    if (!slot)
        return {};
    SocketRef ref = SocketTable::insert(*slot,
        SocketTable::create(handle, info.family, info.type, info.protocol,
            flags ? *flags : query_flags(handle, info.family)),
        &known_closes);
    if (ref) {
        ref->shared = true;
        ref->nonblocking = is_nonblocking_already(handle, info.family);
        filter::note_adopted(*ref);
    }
    return ref;
}

SocketRef find_socket(SOCKET socket)
{
    if (!is_started()) {
        fail(WSANOTINITIALISED);
        return {};
    }
    if (SocketRef known = find_known_socket(socket))
        return known;
    if (SocketRef adopted = adopt_socket(socket, nullptr))
        return adopted;
    fail(WSAENOTSOCK);
    return {};
}

SocketRef insert_socket(HANDLE handle, int family, int type, int protocol, DWORD flags)
{
    Slot* slot = make_slot(socket_from_handle(handle));
    if (!slot)
        return {};
    return SocketTable::insert(
        *slot, SocketTable::create(handle, family, type, protocol, flags), nullptr);
}

/// Takes a socket out of its slot; the caller then has the table's reference. False: it is not
/// there any more.
static bool remove_socket(Socket& socket, bool closes)
{
    Slot* slot = find_slot(socket_from_handle(socket.handle));
    if (!slot)
        return false;
    ExclusiveGuard guard(slot->lock);
    if (slot->socket != &socket)
        return false;
    slot->socket = nullptr;
    slot->closes_begun += closes;
    return true;
}

void forget_stale_socket(Socket& socket)
{
    if (remove_socket(socket, false))
        SocketTable::abandon(socket);
}

/// Ends what the peers see of a socket although a thread in a call is suspended, or was terminated.
static void end_under_a_call(Socket& socket)
{
    if (socket.is_stream() && !socket.listening) {
        // The handle stays, for the call may go on, and would be on another socket then.
        // Sends that wait would keep the end back.
        kernel::cancel(socket.handle, nullptr);
        const int both = SD_BOTH;
        afd_call(socket.handle, afd::kIoctlShutdown, &both, sizeof(both), nullptr, 0);
        return;
    }
    // Only the last handle gives the port free.
    filter::close(socket);
    SocketTable::close_handle(socket);
}

/// Waits for the calls that hold the handle. They are short, except on a synchronous handle, where
/// they wait inside the kernel and are cancelled. One may only be about to begin, and the host
/// misses a cancel while it lets a send begin to wait: so this goes on until they have ended.
static void end_calls(Socket& socket)
{
    constexpr int kMostTries = 1000;
    for (int tries = 0; SocketTable::is_in_use(socket) && !RtlDllShutdownInProgress(); ++tries) {
        if (tries == kMostTries)
            return end_under_a_call(socket);
        if (!socket.is_overlapped())
            kernel::cancel(socket.handle, nullptr);
        if (tries < 8)
            SwitchToThread();
        else
            Sleep(1);
    }
}

bool close_socket(Socket& socket)
{
    if (!remove_socket(socket, true))
        return false;
    socket.closing = true;
    // On the host a send in flight keeps the socket and its connection alive past the last handle,
    // and a request left on a shared socket would complete against a reused handle value. All else
    // is cancelled by the close. [closesocket/3]
    if (!emulation::is_on() && (socket.blocking_sends > 0 || socket.pended))
        kernel::cancel(socket.handle, nullptr);
    end_calls(socket);
    SocketTable::dereference(socket);
    return true;
}

void close_all_sockets()
{
    for (std::atomic<Page*>& entry : pages) {
        Page* page = entry.load(std::memory_order_acquire);
        if (!page)
            continue;
        for (Slot& slot : page->slots) {
            SocketRef ref = SocketTable::reference(slot);
            if (ref)
                close_socket(*ref);
        }
    }
}

void free_socket_table()
{
    for (std::atomic<Page*>& entry : pages) {
        Page* page = entry.exchange(nullptr);
        if (!page)
            continue;
        for (Slot& slot : page->slots) {
            if (slot.socket)
                SocketTable::abandon(*slot.socket);
        }
        HeapFree(GetProcessHeap(), 0, page);
    }
}

} // namespace ws2
