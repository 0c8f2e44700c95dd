// gethostbyname, gethostbyaddr.
#include <cwchar>

#include "entry_block.h"
#include "error.h"
#include "host_entry.h"
#include "host_name.h"
#include "startup.h"
#include "thread.h"

namespace ws2 {

int find_host_entry(const wchar_t* name, HostAnswer& answer)
{
    const int error = resolve_host(name, AF_INET, answer);
    // An IPv6 address or a name with IPv6 addresses only has nothing for a hostent.
    return error ? error : answer.addresses.count() ? 0 : WSANO_DATA;
}

int read_host_address(const char* source, int length, int family, HostAddress& address)
{
    if (family != AF_INET && family != AF_INET6)
        return WSAEAFNOSUPPORT;
    address = {};
    address.family = family;
    if (length < address.length() || !guard::copy(&address.v4, source, address.length()))
        return WSAEFAULT;
    return 0;
}

static hostent* fail_entry(int error)
{
    SetLastError(error);
    return nullptr;
}

static hostent* thread_host_entry(const HostAnswer& answer, int family)
{
    Thread* thread = Thread::current();
    if (!thread)
        return fail_entry(WSA_NOT_ENOUGH_MEMORY);
    return static_cast<hostent*>(make_thread_entry(
        thread->host_entry, [&](EntryBlock& block) { block.put_host(answer, family); }));
}

} // namespace ws2

using namespace ws2;

hostent* WSAAPI gethostbyname(const char* name)
{
    if (!is_started())
        return fail_entry(WSANOTINITIALISED);
    const NameArgument argument(name);
    if (argument.is_bad())
        return fail_entry(WSAEFAULT);
    HostAnswer answer;
    // No name is the computer's own. [gethostbyname/3]
    if (int error = find_host_entry(argument.text() ? argument.text() : L"", answer))
        return fail_entry(error);
    return thread_host_entry(answer, AF_INET);
}

hostent* WSAAPI gethostbyaddr(const char* source, int length, int family)
{
    if (!is_started())
        return fail_entry(WSANOTINITIALISED);
    HostAddress address;
    if (int error = read_host_address(source, length, family, address))
        return fail_entry(error);
    HostAnswer answer;
    if (int error = resolve_address(address, answer))
        return fail_entry(error);
    return thread_host_entry(answer, family);
}
