// What GetAddrInfoExA and GetAddrInfoExW share.
#pragma once

#include <cstddef>

#include "address_query.h"

namespace ws2 {

/// ADDRINFOEX2A and ADDRINFOEX2W, which the SDK's header lacks. They begin as ADDRINFOEXA and
/// ADDRINFOEXW, whose ai_next names another type in that header. All lists are of the longer form:
/// who takes them for the shorter one does not see the difference. [GetAddrInfoEx/8]
template <typename Char> struct BasicAddressInfoEx {
    int ai_flags;
    int ai_family;
    int ai_socktype;
    int ai_protocol;
    size_t ai_addrlen;
    Char* ai_canonname;
    SOCKADDR* ai_addr;
    void* ai_blob;
    size_t ai_bloblen;
    GUID* ai_provider;
    BasicAddressInfoEx* ai_next;
    int ai_version = 2;
    Char* ai_fqdn;
};

using AddressInfoExA = BasicAddressInfoEx<char>;
using AddressInfoEx = BasicAddressInfoEx<wchar_t>;
static_assert(offsetof(AddressInfoExA, ai_version) == sizeof(ADDRINFOEXA));
static_assert(offsetof(AddressInfoEx, ai_version) == sizeof(ADDRINFOEXW));
static_assert(offsetof(AddressInfoExA, ai_next) == offsetof(ADDRINFOEXA, ai_next));
static_assert(offsetof(AddressInfoEx, ai_next) == offsetof(ADDRINFOEXW, ai_next));

} // namespace ws2
