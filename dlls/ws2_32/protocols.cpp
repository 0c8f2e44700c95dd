// getprotobyname, getprotobynumber.
#include "protocols.h"

#include "caller.h"
#include "entry_block.h"
#include "error.h"
#include "guard_text.h"
#include "startup.h"
#include "thread.h"

namespace ws2 {

static SystemFile protocol_file { SystemFile::Place::kWindows, L"protocol" };

// What the file says on Windows. [getprotobyname/3]
static constexpr BuiltinName kProtocols[] = {
    { "ip", 0, nullptr, "IP" },
    { "icmp", 1, nullptr, "ICMP" },
    { "ggp", 3, nullptr, "GGP" },
    { "tcp", 6, nullptr, "TCP" },
    { "egp", 8, nullptr, "EGP" },
    { "pup", 12, nullptr, "PUP" },
    { "udp", 17, nullptr, "UDP" },
    { "hmp", 20, nullptr, "HMP" },
    { "xns-idp", 22, nullptr, "XNS-IDP" },
    { "rdp", 27, nullptr, "RDP" },
    { "ipv6", 41, nullptr, "IPv6" },
    { "ipv6-route", 43, nullptr, "IPv6-Route" },
    { "ipv6-frag", 44, nullptr, "IPv6-Frag" },
    { "esp", 50, nullptr, "ESP" },
    { "ah", 51, nullptr, "AH" },
    { "ipv6-icmp", 58, nullptr, "IPv6-ICMP" },
    { "ipv6-nonxt", 59, nullptr, "IPv6-NoNxt" },
    { "ipv6-opts", 60, nullptr, "IPv6-Opts" },
    { "rvd", 66, nullptr, "RVD" },
};

bool find_protocol(const NameQuery& query, NamedNumber& protocol)
{
    const FileAnswer answer = find_in_file(TableKind::kProtocols, protocol_file, query, protocol);
    return answer == FileAnswer::kFound
        || (answer == FileAnswer::kEmpty && find_builtin(kProtocols, query, protocol));
}

static protoent* protocol_entry(const NameQuery& query)
{
    return static_cast<protoent*>(find_thread_entry(query, find_protocol, &Thread::protocol_entry,
        [](EntryBlock& entry, const NamedNumber& found) { entry.put_protocol(found); }));
}

} // namespace ws2

using namespace ws2;

protoent* WSAAPI getprotobyname(const char* name)
{
    const GuardedText guarded_name(name);
    if (!is_started_for(WS2_CALLER))
        SetLastError(WSANOTINITIALISED);
    else if (!guarded_name.text())
        SetLastError(WSAEFAULT);
    else
        return protocol_entry({ .name = guarded_name.text() });
    return nullptr;
}

protoent* WSAAPI getprotobynumber(int number)
{
    if (!is_started_for(WS2_CALLER))
        SetLastError(WSANOTINITIALISED);
    else if (number < 0)
        SetLastError(WSANO_DATA);
    else
        return protocol_entry({ .number = number });
    return nullptr;
}
