// What GetAddrInfoExA and GetAddrInfoExW share.
#pragma once

#include <cstddef>

#include "address_query.h"

namespace ws2 {

/// ADDRINFOEXA and ADDRINFOEXW, which in the SDK's header cannot be walked: their ai_next names
/// another type.
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
};

using AddressInfoExA = BasicAddressInfoEx<char>;
using AddressInfoEx = BasicAddressInfoEx<wchar_t>;
static_assert(sizeof(AddressInfoExA) == sizeof(ADDRINFOEXA));
static_assert(sizeof(AddressInfoEx) == sizeof(ADDRINFOEXW));
static_assert(offsetof(AddressInfoExA, ai_next) == offsetof(ADDRINFOEXA, ai_next));
static_assert(offsetof(AddressInfoEx, ai_next) == offsetof(ADDRINFOEXW, ai_next));

} // namespace ws2
