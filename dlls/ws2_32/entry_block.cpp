#include "entry_block.h"

#include <cwchar>

namespace ws2 {

template <typename T> T* EntryBlock::take(size_t count, T*& home)
{
    m_size = (m_size + alignof(T) - 1) & ~(alignof(T) - 1);
    const size_t start = m_size;
    m_size += count * sizeof(T);
    home = reinterpret_cast<T*>(m_home + start);
    return fits() ? reinterpret_cast<T*>(m_block + start) : nullptr;
}

char* EntryBlock::put_text(const char* text, size_t length)
{
    char* home;
    if (char* room = take(length + 1, home)) {
        std::memcpy(room, text, length);
        room[length] = 0;
    }
    return home;
}

/// In the ANSI code page, as every entry of Winsock 1.1.
char* EntryBlock::put_text(const wchar_t* text)
{
    char ansi[kMaxHostName * 2];
    const int size = WideCharToMultiByte(CP_ACP, 0, text, -1, ansi, sizeof(ansi), nullptr, nullptr);
    return put_text(ansi, size ? size - 1 : 0);
}

void EntryBlock::put_host(const HostAnswer& answer, int family)
{
    size_t address_count = 0;
    for (const HostAddress& address : answer.addresses)
        address_count += address.family == family;
    size_t alias_count = 0;
    for (wchar_t c : answer.aliases)
        alias_count += !c;

    hostent* host_home;
    char** list_home;
    char** alias_home;
    // The order is a promise: programs take the structure for its block. [gethostbyname/5]
    hostent* host = take(1, host_home);
    char** aliases = take(alias_count + 1, alias_home);
    char** list = take(address_count + 1, list_home);

    int length = 0;
    for (const HostAddress& address : answer.addresses) {
        if (address.family != family)
            continue;
        length = address.length();
        ULONG* home;
        if (ULONG* room = take(length / sizeof(ULONG), home))
            std::memcpy(room, &address.v4, length);
        if (list)
            *list++ = reinterpret_cast<char*>(home);
    }
    if (list)
        *list = nullptr;
    for (const wchar_t* alias = answer.aliases.begin(); alias < answer.aliases.end();
         alias += std::wcslen(alias) + 1) {
        char* home = put_text(alias);
        if (aliases)
            *aliases++ = home;
    }
    if (aliases)
        *aliases = nullptr;
    char* name = put_text(answer.name);
    if (host)
        *host = { name, alias_home, static_cast<short>(family), static_cast<short>(length),
            list_home };
}

char** EntryBlock::put_aliases(const NamedNumber& entry)
{
    char** home;
    char** aliases = take(entry.alias_count + 1, home);
    for (int i = 0; i < entry.alias_count; ++i) {
        char* text = put_text(entry.aliases[i], std::strlen(entry.aliases[i]));
        if (aliases)
            aliases[i] = text;
    }
    if (aliases)
        aliases[entry.alias_count] = nullptr;
    return home;
}

void EntryBlock::put_service(const NamedNumber& service)
{
    servent* home;
    servent* room = take(1, home);
    servent entry = {};
    entry.s_aliases = put_aliases(service);
    entry.s_name = put_text(service.name, std::strlen(service.name));
    entry.s_proto = put_text(service.protocol, std::strlen(service.protocol));
    entry.s_port = static_cast<short>(__builtin_bswap16(static_cast<u_short>(service.number)));
    if (room)
        *room = entry;
}

void EntryBlock::put_protocol(const NamedNumber& protocol)
{
    protoent* home;
    protoent* room = take(1, home);
    protoent entry = {};
    entry.p_aliases = put_aliases(protocol);
    entry.p_name = put_text(protocol.name, std::strlen(protocol.name));
    entry.p_proto = static_cast<short>(protocol.number);
    if (room)
        *room = entry;
}

} // namespace ws2
