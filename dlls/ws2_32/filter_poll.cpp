// The filter's answer to polls: select, WSAPoll and the questions the DLL asks for itself.
#include <algorithm>

#include "filter.h"
#include "heap.h"
#include "socket_refs.h"
#include "statistics.h"
#include "transfer.h"

namespace ws2::filter {

namespace {

/// A poll waits this long in Linux before it waits as a request, which APCs and closesocket reach.
constexpr int64_t kPatience = 2000; // microseconds
constexpr int64_t kTicksPerMicrosecond = 10; // of the host's time-outs

/// The sockets of a poll.
class PolledSockets {
public:
    explicit PolledSockets(size_t capacity)
        : m_refs(capacity)
    {
        if (capacity > kInline)
            m_items
                = static_cast<ntke::PollItem*>(heap_allocate(capacity * sizeof(ntke::PollItem)));
    }
    ~PolledSockets()
    {
        if (m_items != m_inline_items)
            heap_free(m_items);
    }
    PolledSockets(const PolledSockets&) = delete;

    bool is_valid() const { return m_refs.is_valid() && m_items; }
    ntke::PollItem* items() { return m_items; }

    /// False: the host must be asked about this one.
    bool add(const afd::PollEntry& entry)
    {
        SocketRef& ref = m_refs.add(entry.socket);
        if (!ref)
            return false;
        Socket& socket = *ref;
        look_again(socket);
        const ntke::EndpointId endpoint = usable_endpoint(socket);
        m_items[m_count++] = {
            .endpoint = endpoint, .conditions = static_cast<uint32_t>(entry.flags), .found = 0
        };
        return endpoint;
    }

private:
    static constexpr size_t kInline = 64;
    SocketRefs m_refs; // their handles stay open meanwhile
    ntke::PollItem m_inline_items[kInline];
    ntke::PollItem* m_items = m_inline_items;
    size_t m_count = 0;
};

} // namespace

static PollProgress pass_down(PollProgress whom)
{
    statistics::passed_down(statistics::kPolls);
    return whom;
}

PollProgress poll(afd::PollEntry* entries, size_t& count, int64_t& timeout)
{
    if (!emulation::is_on())
        return PollProgress::kForHost;
    PolledSockets sockets(count);
    if (!sockets.is_valid())
        return PollProgress::kForHost;
    for (size_t i = 0; i < count; ++i) {
        if (!sockets.add(entries[i]))
            return pass_down(PollProgress::kForHost);
    }
    // Relative time-outs are negative; nobody here uses absolute ones.
    const bool is_endless = timeout == afd::kPollForever;
    const int64_t asked
        = is_endless ? INT64_MAX : std::max(int64_t { 0 }, -timeout / kTicksPerMicrosecond);
    const int64_t patience = std::min(asked, kPatience);
    ntke::PollArgs args { .items = afd::ptr64(sockets.items()),
        .count = static_cast<uint32_t>(count),
        .patience = static_cast<uint32_t>(patience),
        .ready = 0,
        .padding = 0 };
    if (emulation::call(ntke::kCallPoll, &args) != STATUS_SUCCESS)
        return pass_down(PollProgress::kForHost);
    if (!args.ready && asked > patience) {
        if (!is_endless)
            timeout += patience * kTicksPerMicrosecond;
        return pass_down(PollProgress::kForNtke);
    }
    // The ready entries, in their order. [select/4]
    size_t ready = 0;
    for (size_t i = 0; i < count; ++i) {
        if (!sockets.items()[i].found)
            continue;
        entries[ready++] = { .socket = entries[i].socket,
            .flags = static_cast<int32_t>(sockets.items()[i].found),
            .status = 0 };
    }
    count = ready;
    statistics::completed(statistics::kPolls);
    return PollProgress::kDone;
}

void note_polled(const afd::PollEntry* entries, size_t count)
{
    if (!emulation::is_on())
        return;
    for (size_t i = 0; i < count; ++i) {
        if (!(entries[i].flags & (afd::kPollSend | afd::kPollConnect)))
            continue;
        SocketRef socket = find_known_socket(entries[i].socket);
        // The host's word: it has seen the connection made.
        if (socket && socket->is_stream() && socket->connect_pending) {
            note_connected(*socket);
            note_connect_ended(*socket, STATUS_SUCCESS);
        }
    }
}

} // namespace ws2::filter
