#include "timeline_calls.h"

#include <algorithm>
#include <cstring>

#include "call_arguments.h"
#include "emulation.h"
#include "timeline.h"

namespace ws2::timeline {

namespace {

constexpr size_t kMostHandles = 64; // of a call

/// Writes handles, as many as fit into an entry at a time.
class HandleWriter {
public:
    HandleWriter(uint16_t name, uint32_t detail)
        : m_name(name)
        , m_detail(detail)
    {
    }
    void add(uint64_t handle)
    {
        if (!m_entry || m_used == 4) {
            m_entry = note(kHandles, m_name, 0);
            m_used = 0;
        }
        if (!m_entry)
            return;
        m_entry->values[m_used++] = handle;
        m_entry->subject = m_used;
        m_entry->detail = m_detail;
    }

private:
    const uint16_t m_name;
    const uint32_t m_detail; // which set
    Entry* m_entry = nullptr;
    uint32_t m_used = 0;
};

void note_set(uint16_t name, const fd_set* set, uint32_t detail)
{
    u_int count;
    if (!set || !guard::read(&set->fd_count, count))
        return;
    HandleWriter writer(name, detail);
    for (u_int i = 0; i < count && i < kMostHandles; ++i) {
        SOCKET socket;
        if (guard::read(&set->fd_array[i], socket))
            writer.add(socket);
    }
}

void note_handles(const CallArguments& arguments, uint16_t name)
{
    const CallShape& shape = arguments.shape();
    HandleWriter writer(name, 0);
    for (size_t i = 0; i < arguments[shape.count_at] && i < kMostHandles; ++i) {
        HANDLE handle;
        WSAPOLLFD poll;
        if (shape.detail == Detail::kPolls ? arguments.read(shape.detail_at, i, poll)
                                           : arguments.read(shape.detail_at, i, handle))
            writer.add(
                shape.detail == Detail::kPolls ? poll.fd : reinterpret_cast<uintptr_t>(handle));
    }
}

void note_detail(const CallArguments& arguments, uint16_t name)
{
    const CallShape& shape = arguments.shape();
    const int8_t at = shape.detail_at;
    char text[sizeof(Entry::text)] = {};
    switch (shape.detail) {
    case Detail::kNone:
        return;
    case Detail::kAddress: {
        sockaddr_in6 address;
        Entry* const entry = arguments.read_address(address) ? note(kAddress, name, 0) : nullptr;
        if (entry)
            std::memcpy(entry->text, &address, sizeof(address));
        return;
    }
    case Detail::kText:
    case Detail::kWideText:
        if (arguments.read_text(text, sizeof(text)))
            note_text(kText, name, 0, text);
        return;
    case Detail::kSets:
        for (int8_t set = 0; set < 3; ++set)
            note_set(name, reinterpret_cast<const fd_set*>(arguments[at + set]), set);
        return;
    case Detail::kHandles:
        if (emulation::is_on())
            return; // the service that waits notes them
        [[fallthrough]];
    case Detail::kPolls:
        return note_handles(arguments, name);
    }
}

uint64_t bytes_of(const CallArguments& arguments, uint64_t& first)
{
    const CallShape& shape = arguments.shape();
    if (shape.buffer >= 0) {
        first = arguments[shape.buffer];
        return static_cast<uint32_t>(arguments[shape.buffer + 1]);
    }
    uint64_t bytes = 0;
    const size_t count = std::min<size_t>(arguments[shape.buffers + 1], 64);
    for (size_t i = 0; i < count; ++i) {
        WSABUF buffer;
        if (!arguments.read(shape.buffers, i, buffer))
            break;
        if (!i)
            first = reinterpret_cast<uintptr_t>(buffer.buf);
        bytes += buffer.len;
    }
    return bytes;
}

} // namespace

void note_call(const GateCall& call)
{
    const CallArguments arguments(call);
    const CallShape& shape = arguments.shape();
    const auto name = static_cast<uint16_t>(call.index);
    uint64_t first = arguments[1];
    uint64_t second = arguments[2];
    uint64_t third = arguments[3];
    if (shape.buffer >= 0 || shape.buffers >= 0)
        second = bytes_of(arguments, first);
    if (shape.overlapped >= 0)
        third = arguments[shape.overlapped];
    timeval limit;
    if (shape.detail == Detail::kSets) // in us, all ones: for ever
        third = arguments.read(4, 0, limit) ? limit.tv_sec * 1'000'000ull + limit.tv_usec : ~0ull;
    note_module(call.caller);
    Entry* const entry = note(kCall, name, arguments[0]);
    if (!entry)
        return;
    entry->values[0] = first;
    entry->values[1] = second;
    entry->values[2] = third;
    entry->values[3] = reinterpret_cast<uintptr_t>(call.caller);
    note_detail(arguments, name);
}

void note_return(const GateCall& call, DWORD last_error)
{
    const CallArguments arguments(call);
    const CallShape& shape = arguments.shape();
    const int failure = failure_of(call, last_error);
    DWORD told = 0;
    if (!failure && shape.told >= 0)
        arguments.read(shape.told, 0, told);
    Entry* const entry = note(kReturn, static_cast<uint16_t>(call.index), arguments[0]);
    if (!entry)
        return;
    entry->values[0] = call.result;
    entry->values[1] = told;
    if (shape.overlapped >= 0)
        entry->values[2] = arguments[shape.overlapped];
    entry->status = failure;
}

} // namespace ws2::timeline
