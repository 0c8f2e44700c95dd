#include "resolver.h"

#include <atomic>
#include <cstring>
#include <cwchar>
#include <initializer_list>

#include "afd_call.h"
#include "dns.h"
#include "hosts_file.h"
#include "own_addresses.h"
#include "search_list.h"

namespace ws2 {

/// Has the system its name? It gets it when it comes up, and keeps it. [gethostname/3]
static bool is_system_named()
{
    static std::atomic<bool> known { false };
    if (!known.load(std::memory_order_relaxed)) {
        wchar_t name[kMaxHostName];
        DWORD size = kMaxHostName;
        if (!GetComputerNameW(name, &size))
            return false;
        known.store(true, std::memory_order_relaxed);
    }
    return true;
}

bool own_host_name(wchar_t (&name)[kMaxHostName])
{
    DWORD size = kMaxHostName;
    return is_system_named() && GetComputerNameExW(ComputerNameDnsHostname, name, &size);
}

bool unix_host_name(wchar_t (&name)[kMaxHostName])
{
    const HANDLE file = CreateFileW(L"\\\\?\\unix\\proc\\sys\\kernel\\hostname", GENERIC_READ,
        FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    char line[kMaxHostName];
    DWORD length = 0;
    if (!ReadFile(file, line, sizeof(line) - 1, &length, nullptr))
        length = 0;
    CloseHandle(file);
    line[length] = 0;
    line[std::strcspn(line, "\n")] = 0;
    return *line && MultiByteToWideChar(CP_UTF8, 0, line, -1, name, kMaxHostName);
}

/// A socket that can be bound to IPv6 loopback is the proof that needs no list of interfaces. It is
/// the kernel's alone, as Winsock need not be started. [WSAStartup/11]
static bool can_bind_ipv6()
{
    const afd::CreateParams create {
        .family = AF_INET6, .type = SOCK_DGRAM, .protocol = IPPROTO_UDP, .flags = 0
    };
    HANDLE probe;
    if (!NT_SUCCESS(afd_open_socket(create, 0, 0, &probe)))
        return false;
    struct {
        afd::BindParams params {};
        sockaddr_in6 loopback {};
    } request;
    request.loopback.sin6_family = AF_INET6;
    request.loopback.sin6_addr = IN6_ADDR IN6ADDR_LOOPBACK_INIT;
    SOCKADDR_STORAGE bound {};
    const bool is_bound = NT_SUCCESS(
        afd_call(probe, afd::kIoctlBind, &request, sizeof(request), &bound, sizeof(bound)));
    kernel::close(probe);
    return is_bound;
}

bool has_ipv6()
{
    enum { kUnknown, kNo, kYes };
    static std::atomic<int> known { kUnknown };
    int answer = known.load(std::memory_order_relaxed);
    if (answer == kUnknown) {
        answer = can_bind_ipv6() ? kYes : kNo;
        known.store(answer, std::memory_order_relaxed);
    }
    return answer == kYes;
}

static bool is_loopback(const HostAddress& address)
{
    if (address.family == AF_INET)
        return (address.v4.s_addr & 0xFF) == 127;
    return IN6_IS_ADDR_LOOPBACK(&address.v6);
}

/// Is there an IPv6 address that reaches beyond its link? A system that cannot be asked for its
/// addresses is taken for one that has some.
static bool find_global_ipv6()
{
    HeapArray<HostAddress> own;
    list_own_addresses(AF_UNSPEC, OwnAddresses::kAll, own);
    bool is_global = !own.count();
    for (const HostAddress& address : own)
        is_global |= address.family == AF_INET6 && !is_loopback(address)
            && !IN6_IS_ADDR_LINKLOCAL(&address.v6);
    return is_global;
}

/// The same, found out at most once a second: the list takes the system milliseconds, and names are
/// looked up in bursts.
static bool has_global_ipv6()
{
    constexpr DWORD kGoodFor = 1000; // ms
    constexpr DWORD kAnswer = 1; // takes the place of the time's lowest bit
    static std::atomic<DWORD> known { 0 };
    const DWORD now = GetTickCount();
    DWORD latest = known.load(std::memory_order_relaxed);
    if (!latest || now - (latest & ~kAnswer) > kGoodFor) {
        latest = (now & ~kAnswer) | (find_global_ipv6() ? kAnswer : 0);
        known.store(latest, std::memory_order_relaxed);
    }
    return latest & kAnswer;
}

/// Puts the addresses that can be reached best first, as RFC 6724 would with one interface: IPv6
/// leads if the computer has an IPv6 address that reaches as far, else IPv4 leads.
static void sort_by_preference(HeapArray<HostAddress>& addresses)
{
    bool has_v4 = false;
    bool has_remote_v6 = false;
    bool has_loopback_v6 = false;
    for (const HostAddress& address : addresses) {
        has_v4 |= address.family == AF_INET;
        if (address.family == AF_INET6)
            (is_loopback(address) ? has_loopback_v6 : has_remote_v6) = true;
    }
    if (!has_v4 || !(has_remote_v6 || has_loopback_v6))
        return;
    const bool v6_leads = has_ipv6() && (!has_remote_v6 || has_global_ipv6());
    // Stable: within a family the order of the source stays.
    const int leader = v6_leads ? AF_INET6 : AF_INET;
    size_t front = 0;
    for (size_t i = 0; i < addresses.count(); ++i) {
        if (addresses[i].family != leader)
            continue;
        const HostAddress moved = addresses[i];
        std::memmove(&addresses[front + 1], &addresses[front], (i - front) * sizeof(HostAddress));
        addresses[front++] = moved;
    }
}

static int resolve_localhost(const wchar_t* name, int family, HostAnswer& answer)
{
    answer.set_name(name);
    const bool wants_v6 = family == AF_INET6 || (family == AF_UNSPEC && has_ipv6());
    if (wants_v6 && !answer.add(HostAddress::from_v6(IN6_ADDR IN6ADDR_LOOPBACK_INIT)))
        return WSA_NOT_ENOUGH_MEMORY;
    IN_ADDR loopback;
    loopback.s_addr = __builtin_bswap32(INADDR_LOOPBACK);
    if (family != AF_INET6 && !answer.add(HostAddress::from_v4(loopback)))
        return WSA_NOT_ENOUGH_MEMORY;
    return 0;
}

/// The computer itself: the addresses of its interfaces, or loopback where it has no other.
static int resolve_self(const wchar_t* own_name, int family, HostAnswer& answer)
{
    if (int error = list_own_addresses(family, OwnAddresses::kExternal, answer.addresses))
        return error;
    if (!answer.addresses.count())
        return resolve_localhost(own_name, family, answer);
    answer.set_name(own_name);
    sort_by_preference(answer.addresses);
    return 0;
}

/// Which of two outcomes counts: an answer makes up for a failure, and a failure that leaves the
/// question open counts more than one that settles it.
static int better_outcome(int a, int b)
{
    constexpr int kByWeight[]
        = { 0, WSA_NOT_ENOUGH_MEMORY, WSATRY_AGAIN, WSANO_RECOVERY, WSANO_DATA };
    for (const int outcome : kByWeight) {
        if (a == outcome || b == outcome)
            return outcome;
    }
    return WSAHOST_NOT_FOUND;
}

/// Asks DNS for the families that are wanted. IPv6 addresses that cannot be reached from here are
/// not. [getaddrinfo/16]
static int resolve_full_name(const wchar_t* name, int family, HostAnswer& answer)
{
    const bool wants_v4 = family != AF_INET6;
    const bool wants_v6 = family != AF_INET && has_global_ipv6();
    const int first = family == AF_INET6 ? AF_INET6 : AF_INET;
    int outcome = WSAHOST_NOT_FOUND;
    for (const int asked : { first, first == AF_INET ? AF_INET6 : AF_INET }) {
        if (asked == AF_INET ? wants_v4 : wants_v6) {
            outcome = better_outcome(outcome, query_dns_addresses(name, asked, answer));
        } else if (outcome == WSAHOST_NOT_FOUND) {
            // Wine's dnsapi takes a name without records of the one family for none at all.
            HostAnswer unwanted;
            const int error = query_dns_addresses(name, asked, unwanted);
            if (!error || error == WSANO_DATA)
                outcome = WSANO_DATA;
        }
    }
    return outcome;
}

/// Bytes of a character in a question to DNS, which is in UTF-8. Half a pair counts half.
static size_t dns_length(wchar_t c)
{
    return c < 0x80 ? 1 : c < 0x800 || (c >= 0xD800 && c <= 0xDFFF) ? 2 : 3;
}

/// Can DNS have the name? The root's label, which is empty, may end it; a backslash would be an
/// escape. [getaddrinfo/15]
static bool is_domain_name(const wchar_t* name)
{
    constexpr size_t kMaxLabel = 63;
    constexpr size_t kMaxName = 253;
    size_t total = 0;
    for (size_t label = 0;; ++name) {
        if (*name && *name != '.') {
            if (*name == '\\')
                return false;
            label += dns_length(*name);
            continue;
        }
        if (!label || label > kMaxLabel)
            return false;
        total += label;
        if (!*name || !name[1])
            return total <= kMaxName;
        ++total;
        label = 0;
    }
}

/// A name of one label is looked for under the suffixes first. [getaddrinfo/13]
static int resolve_by_dns(const wchar_t* name, int family, HostAnswer& answer)
{
    HeapArray<wchar_t> suffixes;
    if (!std::wcschr(name, '.') && !list_search_suffixes(suffixes))
        return WSA_NOT_ENOUGH_MEMORY;
    const size_t length = std::wcslen(name);
    bool known = false;
    for (const wchar_t* suffix = suffixes.begin(); suffix < suffixes.end();
         suffix += std::wcslen(suffix) + 1) {
        wchar_t full_name[kMaxHostName];
        if (length + 1 + std::wcslen(suffix) >= kMaxHostName)
            continue;
        std::wcscpy(full_name, name);
        full_name[length] = '.';
        std::wcscpy(full_name + length + 1, suffix);
        if (!is_domain_name(full_name))
            continue;
        const int error = resolve_full_name(full_name, family, answer);
        if (error != WSAHOST_NOT_FOUND && error != WSANO_DATA)
            return error; // No server answers: it would not answer the next question either.
        known |= error == WSANO_DATA;
        answer.aliases.truncate(0); // Those of a name that has led to no address.
    }
    const int error = resolve_full_name(name, family, answer);
    return error == WSAHOST_NOT_FOUND && known ? WSANO_DATA : error;
}

int resolve_host(const wchar_t* name, int family, HostAnswer& answer)
{
    HostAddress numeric;
    if (parse_host_address(name, AF_UNSPEC, numeric)) {
        if (family != AF_UNSPEC && family != numeric.family)
            return WSAHOST_NOT_FOUND;
        answer.set_numeric_name(name);
        return answer.add(numeric) ? 0 : WSA_NOT_ENOUGH_MEMORY;
    }
    if (std::wcslen(name) >= kMaxHostName)
        return WSAHOST_NOT_FOUND;
    if (equal_names(name, L"localhost"))
        return resolve_localhost(L"localhost", family, answer);
    wchar_t own_name[kMaxHostName];
    if (own_host_name(own_name)
        && (!*name || equal_names(name, own_name) || equal_names(name, L"..localmachine")))
        return resolve_self(own_name, family, answer);
    if (!is_domain_name(name))
        return WSAHOST_NOT_FOUND;

    bool known;
    if (int error = find_host_by_name(name, family, answer, known))
        return error;
    if (answer.addresses.count()) {
        sort_by_preference(answer.addresses);
        return 0;
    }
    const int error = resolve_by_dns(name, family, answer);
    if (!error)
        sort_by_preference(answer.addresses);
    else if (known && error == WSAHOST_NOT_FOUND)
        return WSANO_DATA; // The hosts file has the name, with the other family only.
    return error;
}

int resolve_address(const HostAddress& address, HostAnswer& answer)
{
    bool known;
    if (int error = find_host_by_address(address, answer, known); error || known)
        return error;
    HeapArray<HostAddress> own;
    if (int error = list_own_addresses(address.family, OwnAddresses::kExternal, own))
        return error;
    for (const HostAddress& mine : own) {
        if (mine == address && own_host_name(answer.name))
            return answer.add(address) ? 0 : WSA_NOT_ENOUGH_MEMORY;
    }
    IN_ADDR loopback;
    loopback.s_addr = __builtin_bswap32(INADDR_LOOPBACK);
    if (address == HostAddress::from_v4(loopback)
        || address == HostAddress::from_v6(IN6_ADDR IN6ADDR_LOOPBACK_INIT)) {
        answer.set_name(L"localhost");
        return answer.add(address) ? 0 : WSA_NOT_ENOUGH_MEMORY;
    }
    return query_dns_name(address, answer);
}

} // namespace ws2
