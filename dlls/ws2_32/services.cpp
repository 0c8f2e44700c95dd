// getservbyname, getservbyport.
#include "services.h"

#include "caller.h"
#include "entry_block.h"
#include "error.h"
#include "guard_text.h"
#include "startup.h"
#include "thread.h"

namespace ws2 {

static SystemFile services_files[] = {
    { SystemFile::Place::kWindows, L"services" },
    { SystemFile::Place::kUnix, L"services" },
};

// The services programs ask for most. Source: IANA, Service Name and Transport Protocol Port Number
// Registry.
static constexpr BuiltinName kServices[] = {
    { "echo", 7, "tcp", nullptr },
    { "echo", 7, "udp", nullptr },
    { "discard", 9, "tcp", "sink" },
    { "discard", 9, "udp", "sink" },
    { "daytime", 13, "tcp", nullptr },
    { "daytime", 13, "udp", nullptr },
    { "chargen", 19, "tcp", "ttytst" },
    { "chargen", 19, "udp", "ttytst" },
    { "ftp-data", 20, "tcp", nullptr },
    { "ftp", 21, "tcp", nullptr },
    { "ssh", 22, "tcp", nullptr },
    { "telnet", 23, "tcp", nullptr },
    { "smtp", 25, "tcp", "mail" },
    { "time", 37, "tcp", nullptr },
    { "time", 37, "udp", nullptr },
    { "domain", 53, "tcp", nullptr },
    { "domain", 53, "udp", nullptr },
    { "bootps", 67, "udp", nullptr },
    { "bootpc", 68, "udp", nullptr },
    { "tftp", 69, "udp", nullptr },
    { "gopher", 70, "tcp", nullptr },
    { "finger", 79, "tcp", nullptr },
    { "http", 80, "tcp", "www" },
    { "kerberos", 88, "tcp", "kerberos-sec" },
    { "kerberos", 88, "udp", "kerberos-sec" },
    { "pop3", 110, "tcp", "pop-3" },
    { "sunrpc", 111, "tcp", "portmap" },
    { "sunrpc", 111, "udp", "portmap" },
    { "nntp", 119, "tcp", nullptr },
    { "ntp", 123, "udp", nullptr },
    { "epmap", 135, "tcp", nullptr },
    { "netbios-ns", 137, "udp", nullptr },
    { "netbios-dgm", 138, "udp", nullptr },
    { "netbios-ssn", 139, "tcp", nullptr },
    { "imap", 143, "tcp", "imap2" },
    { "snmp", 161, "udp", nullptr },
    { "snmptrap", 162, "udp", nullptr },
    { "bgp", 179, "tcp", nullptr },
    { "irc", 194, "tcp", nullptr },
    { "ldap", 389, "tcp", nullptr },
    { "https", 443, "tcp", nullptr },
    { "https", 443, "udp", nullptr },
    { "microsoft-ds", 445, "tcp", nullptr },
    { "syslog", 514, "udp", nullptr },
    { "nntps", 563, "tcp", nullptr },
    { "ldaps", 636, "tcp", nullptr },
    { "ftps", 990, "tcp", nullptr },
    { "imaps", 993, "tcp", nullptr },
    { "pop3s", 995, "tcp", nullptr },
    { "socks", 1080, "tcp", nullptr },
    { "ms-sql-s", 1433, "tcp", nullptr },
    { "mysql", 3306, "tcp", nullptr },
    { "ms-wbt-server", 3389, "tcp", nullptr },
    { "postgresql", 5432, "tcp", nullptr },
};

bool find_service(const NameQuery& query, NamedNumber& service)
{
    for (SystemFile& file : services_files) {
        if (find_in_file(TableKind::kServices, file, query, service) == FileAnswer::kFound)
            return true;
    }
    return find_builtin(kServices, query, service);
}

static servent* service_entry(const NameQuery& query)
{
    return static_cast<servent*>(find_thread_entry(query, find_service, &Thread::service_entry,
        [](EntryBlock& entry, const NamedNumber& found) { entry.put_service(found); }));
}

} // namespace ws2

using namespace ws2;

servent* WSAAPI getservbyname(const char* name, const char* protocol)
{
    const GuardedText guarded_name(name);
    const GuardedText guarded_protocol(protocol);
    if (!is_started_for(WS2_CALLER))
        SetLastError(WSANOTINITIALISED);
    else if (!guarded_name.text() || (protocol && !guarded_protocol.text()))
        SetLastError(WSAEFAULT);
    else
        return service_entry({ .name = guarded_name.text(), .protocol = guarded_protocol.text() });
    return nullptr;
}

servent* WSAAPI getservbyport(int port, const char* protocol)
{
    const GuardedText guarded_protocol(protocol);
    if (!is_started_for(WS2_CALLER))
        SetLastError(WSANOTINITIALISED);
    else if (protocol && !guarded_protocol.text())
        SetLastError(WSAEFAULT);
    else
        return service_entry({ .number = __builtin_bswap16(static_cast<u_short>(port)),
            .protocol = guarded_protocol.text() });
    return nullptr;
}
