// A poll of many sockets in one request.
#pragma once

#include "afd/params.h"
#include "lock.h"
#include "sdk.h"
#include "thread.h"

namespace ws2 {

/// The entries of one poll request, and after issue() those that are ready. Owner: the call on
/// whose stack it is; small requests need no memory beside it.
class PollRequest {
public:
    /// Room for `capacity` entries; is_valid() is false when memory is out.
    explicit PollRequest(size_t capacity);
    ~PollRequest();
    PollRequest(const PollRequest&) = delete;

    bool is_valid() const { return m_buffer; }
    void add(SOCKET socket, ULONG flags);
    bool is_empty() const { return m_count == 0; }

    /// Waits until an entry is ready or `timeout` is over; both leave a success status and the
    /// ready entries, in the order they were added. Alertable: user APCs run and the wait goes on.
    /// `timeout` as in afd::PollHeader.
    NTSTATUS issue(int64_t timeout);
    /// The same past the emulation.
    NTSTATUS issue_on_host(int64_t timeout) { return make_request(timeout, WaitsFor::kHost); }

    const afd::PollEntry* begin() const { return entries(); }
    const afd::PollEntry* end() const { return entries() + m_count; }

private:
    struct Buffer {
        afd::PollHeader header;
        afd::PollEntry entries[1];
    };
    static constexpr size_t kInlineEntries = 64;

    /// What the kernel has of a request. Owner: the call.
    struct Asked {
        explicit Asked(WaitsFor whom)
            : event(whom)
        {
        }
        WaitEvent event;
        IO_STATUS_BLOCK iosb {};
    };

    afd::PollEntry* entries() const { return m_buffer->entries; }
    NTSTATUS make_request(int64_t timeout, WaitsFor whom);
    /// STATUS_PENDING: the event is set at the end. Either way finish() is next.
    NTSTATUS start(int64_t timeout, Asked& asked);
    /// Takes what has been found, of a request that has ended with `status`.
    NTSTATUS finish(NTSTATUS status);

    // A request in two (poll_parts.cpp).
    bool is_of_two_kernels() const;
    NTSTATUS issue_in_parts(int64_t timeout);
    NTSTATUS end_part(NTSTATUS status, Asked& asked);
    void gather(const PollRequest& own, const PollRequest& others);

    alignas(
        Buffer) char m_inline[sizeof(afd::PollHeader) + kInlineEntries * sizeof(afd::PollEntry)];
    Buffer* m_buffer;
    size_t m_count = 0;
};

/// The handle polls are issued on, opened by the first; null when there can be none. One for the
/// process: no socket will do, for the device answers badly when a socket is closed on which a poll
/// of other sockets is pending.
HANDLE poll_device();

/// Closes it. For the end of a DLL that is freed, when no thread is in a call.
void close_poll_device();

/// Held shared while there is a handle of the device that is no socket yet, exclusively while a
/// handle is polled that may have become one: Wine's server does not survive a poll of such a
/// handle.
extern SrwLock g_unmade_sockets;

/// Which of `conditions` hold for one socket now? None when it cannot be polled.
ULONG conditions_now(SOCKET socket, ULONG conditions);

/// A time-out in milliseconds as the poll request wants it; negative means for ever.
int64_t poll_timeout_from_milliseconds(int milliseconds);

} // namespace ws2
