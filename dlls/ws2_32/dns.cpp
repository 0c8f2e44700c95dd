#include "dns.h"

#include <windns.h>

#include <cwchar>
#include <initializer_list>

#include "ip_text.h"
#include "late_library.h"

namespace ws2 {

static LateFunction<decltype(&DnsQuery_W)> dns_query(L"dnsapi.dll", "DnsQuery_W");
static LateFunction<decltype(&DnsFree)> dns_free(L"dnsapi.dll", "DnsFree");

/// Owns the records of an answer.
class DnsRecords {
public:
    DnsRecords() = default;
    DnsRecords(const DnsRecords&) = delete;
    ~DnsRecords()
    {
        if (!m_first)
            return;
        if (const auto free_records = dns_free.get())
            free_records(m_first, DnsFreeRecordList);
    }
    DNS_RECORDW* first() const { return m_first; }

    /// Returns 0 or a Winsock error.
    int query(const wchar_t* name, WORD type);

private:
    DNS_RECORDW* m_first = nullptr;
};

static int error_from_dns(DNS_STATUS status)
{
    switch (status) {
    case ERROR_SUCCESS:
        return 0;
    case DNS_ERROR_RCODE_NAME_ERROR:
    case DNS_ERROR_INVALID_NAME:
    case DNS_ERROR_INVALID_NAME_CHAR:
    case DNS_ERROR_NON_RFC_NAME:
    case DNS_ERROR_RECORD_DOES_NOT_EXIST:
        return WSAHOST_NOT_FOUND;
    case DNS_INFO_NO_RECORDS:
        return WSANO_DATA;
    case ERROR_TIMEOUT:
    case DNS_ERROR_RCODE_SERVER_FAILURE:
    case DNS_ERROR_NO_DNS_SERVERS:
        return WSATRY_AGAIN;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
        return WSA_NOT_ENOUGH_MEMORY;
    default:
        return WSANO_RECOVERY;
    }
}

int DnsRecords::query(const wchar_t* name, WORD type)
{
    constexpr DWORD kNoNetBios = 0x80; // DNS_QUERY_NO_NETBT
    constexpr DWORD kNoMulticast = 0x800; // DNS_QUERY_NO_MULTICAST
    const auto ask = dns_query.get();
    if (!ask)
        return WSANO_RECOVERY;
    const DWORD last_error = GetLastError();
    const DNS_STATUS status = ask(name, type, kNoNetBios | kNoMulticast, nullptr,
        reinterpret_cast<PDNS_RECORD*>(&m_first), nullptr);
    SetLastError(last_error);
    if (status)
        m_first = nullptr; // The pointer is not always written by a query that failed.
    return error_from_dns(status);
}

static bool is_answer(const DNS_RECORDW* record)
{
    return record->Flags.S.Section == DnsSectionAnswer;
}

/// Takes an address or an alias from a record of the answer. False: memory is out.
static bool take_record(const DNS_RECORDW* record, HostAnswer& answer)
{
    switch (record->wType) {
    case DNS_TYPE_A: {
        IN_ADDR address;
        address.s_addr = record->Data.A.IpAddress;
        answer.set_name(record->pName); // The owner of the addresses is the canonical name.
        return answer.add(HostAddress::from_v4(address));
    }
    case DNS_TYPE_AAAA: {
        IN6_ADDR address;
        std::memcpy(&address, &record->Data.AAAA.Ip6Address, sizeof(address));
        answer.set_name(record->pName);
        return answer.add(HostAddress::from_v6(address));
    }
    case DNS_TYPE_CNAME:
        return answer.add_alias(record->pName);
    default:
        return true;
    }
}

int query_dns_addresses(const wchar_t* name, int family, HostAnswer& answer)
{
    DnsRecords records;
    if (int error = records.query(name, family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA))
        return error;
    const size_t before = answer.addresses.count();
    for (const auto* record = records.first(); record; record = record->pNext) {
        if (is_answer(record) && !take_record(record, answer))
            return WSA_NOT_ENOUGH_MEMORY;
    }
    return answer.addresses.count() > before ? 0 : WSANO_DATA;
}

/// The name under which DNS keeps the name of an address: its parts in reverse order.
static void reverse_name(const HostAddress& address, wchar_t (&name)[80])
{
    if (address.family == AF_INET) {
        IN_ADDR reversed;
        reversed.s_addr = __builtin_bswap32(address.v4.s_addr);
        std::wcscpy(name + format_ipv4(reversed, name), L".in-addr.arpa");
        return;
    }
    wchar_t* p = name;
    for (int i = 15; i >= 0; --i) {
        const BYTE byte = address.v6.s6_addr[i];
        for (const int digit : { byte & 0xF, byte >> 4 }) {
            *p++ = L"0123456789abcdef"[digit];
            *p++ = L'.';
        }
    }
    std::wcscpy(p, L"ip6.arpa");
}

int query_dns_name(const HostAddress& address, HostAnswer& answer)
{
    wchar_t name[80];
    reverse_name(address, name);
    DnsRecords records;
    if (int error = records.query(name, DNS_TYPE_PTR))
        return error;
    for (const auto* record = records.first(); record; record = record->pNext) {
        if (!is_answer(record) || record->wType != DNS_TYPE_PTR)
            continue;
        answer.set_name(record->Data.PTR.pNameHost);
        return answer.add(address) ? 0 : WSA_NOT_ENOUGH_MEMORY;
    }
    return WSANO_DATA;
}

} // namespace ws2
