// The table of the process' sockets: a direct index by handle value, in pages made on first use.
// Every slot has its own lock, so looking up one socket never waits for another.
#include "afd_call.h"
#include "error.h"
#include "kernel.h"
#include "socket.h"
#include "startup.h"

#include <new>

namespace ws2 {

namespace {

/// One handle value. `lock` guards `socket`, which holds a reference.
struct Slot {
    SrwLock lock;
    Socket* socket = nullptr;
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

/// Friend of Socket that makes and destroys them.
class SocketTable {
public:
    static SocketRef reference(Slot& slot)
    {
        SharedGuard guard(slot.lock);
        if (slot.socket)
            slot.socket->m_references.fetch_add(1, std::memory_order_relaxed);
        return SocketRef(slot.socket);
    }

    static Socket* create(HANDLE handle, int family, int type, int protocol, DWORD flags)
    {
        void* memory = HeapAlloc(GetProcessHeap(), 0, sizeof(Socket));
        return memory ? new (memory) Socket(handle, family, type, protocol, flags) : nullptr;
    }

    static void dereference(Socket* socket)
    {
        if (socket->m_references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            socket->~Socket();
            HeapFree(GetProcessHeap(), 0, socket);
        }
    }

    /// Destroys a socket nobody has seen, or one whose handle is no longer ours, leaving the
    /// handle alone.
    static void abandon(Socket* socket)
    {
        socket->m_handle_is_ours.store(false);
        dereference(socket);
    }
};

Socket::~Socket()
{
    if (m_handle_is_ours)
        kernel::close(handle);
}

void close_handle_now(Socket& socket)
{
    if (socket.m_handle_is_ours.exchange(false))
        kernel::close(socket.handle);
}

void Socket::forget_names()
{
    ExclusiveGuard guard(lock);
    local_name.length = 0;
    peer_name.length = 0;
}

void SocketRef::release()
{
    if (m_socket)
        SocketTable::dereference(std::exchange(m_socket, nullptr));
}

SocketRef find_known_socket(SOCKET socket)
{
    Slot* slot = find_slot(socket);
    return slot ? SocketTable::reference(*slot) : SocketRef();
}

/// Asks the kernel about a handle that is not in the table.
static SocketRef adopt_socket(SOCKET socket)
{
    // Pseudo handles and values no handle can have need no question.
    if (slot_index(socket) == 0 || slot_index(socket) >= kPages * kSlotsPerPage)
        return {};
    HANDLE handle = handle_from_socket(socket);
    afd::InfoResult info;
    if (!NT_SUCCESS(afd_call(handle, afd::kIoctlGetInfo, nullptr, 0, &info, sizeof(info))))
        return {};
    ULONG mode = 0; // FileModeInformation: FILE_SYNCHRONOUS_IO_* of the handle
    IO_STATUS_BLOCK iosb;
    constexpr auto kFileModeInformation = static_cast<FILE_INFORMATION_CLASS>(16);
    NtQueryInformationFile(handle, &iosb, &mode, sizeof(mode), kFileModeInformation);
    const bool synchronous = mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT);
    SocketRef ref = insert_socket(handle, info.family, info.type, info.protocol,
        synchronous ? 0 : WSA_FLAG_OVERLAPPED);
    if (ref)
        ref->shared = true;
    return ref;
}

SocketRef find_socket(SOCKET socket)
{
    if (!is_started()) {
        fail(WSANOTINITIALISED);
        return {};
    }
    SocketRef ref = find_known_socket(socket);
    if (!ref)
        ref = adopt_socket(socket);
    if (!ref)
        fail(WSAENOTSOCK);
    return ref;
}

SocketRef insert_socket(HANDLE handle, int family, int type, int protocol, DWORD flags)
{
    Slot* slot = make_slot(socket_from_handle(handle));
    Socket* socket = slot ? SocketTable::create(handle, family, type, protocol, flags) : nullptr;
    if (!socket)
        return {};
    Socket* stale;
    {
        ExclusiveGuard guard(slot->lock);
        stale = std::exchange(slot->socket, socket);
    }
    // A socket that was closed behind our back: its handle value now means the new one.
    if (stale)
        SocketTable::abandon(stale);
    return SocketRef(socket);
}

bool remove_socket(SOCKET socket)
{
    Slot* slot = find_slot(socket);
    if (!slot)
        return false;
    Socket* removed;
    {
        ExclusiveGuard guard(slot->lock);
        removed = std::exchange(slot->socket, nullptr);
    }
    if (!removed)
        return false;
    SocketTable::dereference(removed);
    return true;
}

void forget_stale_socket(Socket& socket)
{
    Slot* slot = find_slot(socket_from_handle(socket.handle));
    {
        ExclusiveGuard guard(slot->lock);
        if (slot->socket != &socket)
            return;
        slot->socket = nullptr;
    }
    SocketTable::abandon(&socket);
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

} // namespace ws2
