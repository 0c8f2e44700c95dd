// Polls: one request that waits for conditions of several sockets.
#pragma once

#include "afd/params.h"
#include "afd/socket_file.h"

namespace afd {

struct Poll;

/// The program's entries, whatever their size is. False: they are not there.
size_t entry_size();
bool read_entry(PollEntry& entry, const uint8_t* bytes);

/// One entry of a poll, in the list of its socket while the poll pends. Counterpart:
/// AFD_POLL_INTERNAL's entry. Lock: the socket's for the links; what has been found belongs to
/// whoever has claimed the request.
struct PollLink {
    Poll* poll = nullptr;
    ob::Ref<SocketFile> socket;
    ULONG_PTR handle = 0; // as the caller gave it
    uint32_t asked = 0; // PollFlags
    uint32_t changes = 0; // the socket's, before the first look at it
    uint32_t found = 0;
    NTSTATUS status = 0; // why a connect has failed
    bool is_linked = false;
    PollLink* next = nullptr;
    PollLink* previous = nullptr;

    void find(uint32_t conditions, NTSTATUS why)
    {
        found |= conditions;
        status = why;
    }
};
static_assert(sizeof(PollLink) <= 64); // README.md, Memory

/// A poll. Owner: the request. No lock of its own: it is written before it pends, then by whoever
/// has claimed the request.
struct Poll : Request {
    static Poll* create(io::Irp& irp, uint32_t count);
    ~Poll();
    Poll() = default;

    NTSTATUS capture_entries(const uint8_t* bytes);
    /// Finds the first entry that is ready, or null.
    PollLink* find_ready(uint32_t* found, NTSTATUS* why) const;
    /// Since collect was called first?
    bool has_any_changed() const;
    NTSTATUS pend(const ke::DueTime& due);
    /// Tells what has been found. Returns the bytes written.
    ULONG_PTR write_result() const;
    /// Notes what holds now, beside what has been found already. Returns whether there is any.
    bool collect();

    io::Irp* irp = nullptr;
    PollLink* links = nullptr;
    uint32_t count = 0;
    PollHeader header {}; // as the caller gave it; its block may be gone while the poll pends
    bool is_exclusive = false;
    bool is_superseded = false; // by another exclusive poll: it tells nothing

private:
    static constexpr uint32_t kLooksAtOnce = 64;

    template <typename See> void look_at_all(See see) const;
    void look_ahead(uint32_t first, uint32_t looks_count, EarlierLook* looks) const;
    static NTSTATUS cancel(io::Irp& irp, ULONG_PTR& information);
    static void expire(io::Irp& irp);
    static void finish_poll(io::Irp& irp, Request& request);
};

} // namespace afd
