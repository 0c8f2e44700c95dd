#include "counted.h"
#include "measure.h"

#include <cstdio>
#include <cstdlib>

namespace bench {

namespace {

/// Milliseconds for another thread to do what a call has left to it. Too short a time would lose
/// requests, which a second look at the figures shows; it cannot invent any.
constexpr DWORD kTimeForOthers = 3;

/// A request with a name in it that no ws2_32 sends: it fails, since nobody makes such an event.
void mark(const char* edge, const std::string& name)
{
    const std::string text = std::string("ws2-count:") + edge + ":" + name;
    const HANDLE none = OpenEventA(EVENT_MODIFY_STATE, FALSE, text.c_str());
    if (none)
        CloseHandle(none);
}

bool run_row(const CountedCall& row, unsigned iterations)
{
    CountedFixture fixture;
    if (!fixture.set_up())
        return fail("making the sockets for a counted call");
    for (unsigned i = 0; i < iterations; ++i) {
        if (row.prepare && !row.prepare(fixture))
            return fail("preparing a counted call");
        Sleep(kTimeForOthers); // The preparation may have left something to do, too.
        mark("begin", row.name);
        const bool ok = row.call(fixture);
        mark("end", row.name);
        // What the call has left to another thread of the process counts as well.
        Sleep(kTimeForOthers);
        mark("quiet", row.name);
        if (!ok)
            return fail("a counted call");
        if (row.finish && !row.finish(fixture))
            return fail("finishing a counted call");
    }
    std::printf("counted call=%s calls=%u\n", row.name.c_str(), iterations);
    std::fflush(stdout);
    return true;
}

} // namespace

bool CountedFixture::set_up()
{
    sockaddr_in left_address;
    listener.reset(listen_on_loopback(address));
    left.reset(bind_udp_on_loopback(left_address));
    right.reset(bind_udp_on_loopback(right_address));
    event.reset(WSACreateEvent());
    return listener.is_valid() && left.is_valid() && right.is_valid() && event.is_valid()
        && connect_pair(listener.get(), address, client, server);
}

bool CountedFixture::make_many()
{
    sockaddr_in last = {};
    if (!many.empty())
        return true;
    while (many.size() < 64) {
        many.emplace_back(bind_udp_on_loopback(last));
        if (!many.back().is_valid())
            return false;
    }
    return sendto(left.get(), "m", 1, 0, reinterpret_cast<sockaddr*>(&last), sizeof(last)) == 1;
}

int run_counted(int argc, char** argv)
{
    std::vector<CountedCall> rows;
    for (const auto& part :
        { counted_event_calls(), counted_socket_calls(), counted_transfer_calls(),
            counted_overlapped_calls(), counted_port_calls(), counted_rio_calls() })
        rows.insert(rows.end(), part.begin(), part.end());

    const std::string wanted = argc > 2 ? argv[2] : "all";
    const unsigned iterations = argc > 4 && std::string(argv[3]) == "--iterations"
        ? static_cast<unsigned>(std::strtoul(argv[4], nullptr, 10))
        : 9;
    bool is_known = false;
    int code = 0;
    for (const CountedCall& row : rows) {
        if (wanted != "all" && wanted != row.name)
            continue;
        is_known = true;
        if (!run_row(row, iterations)) {
            // The other rows say something all the same.
            std::fprintf(stderr, "bench: %s was not counted\n", row.name.c_str());
            code = 1;
        }
    }
    if (!is_known) {
        std::fprintf(stderr, "bench: no counted call \"%s\"\n", wanted.c_str());
        return 2;
    }
    return code;
}

} // namespace bench
