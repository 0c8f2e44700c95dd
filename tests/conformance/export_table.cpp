// What ws2_32.dll exports.

#include "exports.h"

#include <cstring>

using namespace conformance;

namespace {

struct Export {
    WORD ordinal;
    const char* name;
    bool is_for_64_bit_only;
};

constexpr Export kExports[] = {
#define EXPORT(ordinal, name, arguments) { ordinal, #name, false },
#define EXPORT64(ordinal, name, arguments) { ordinal, #name, true },
#include "common/windows_exports.def"
#undef EXPORT
#undef EXPORT64
};

/// Is the ordinal one of Winsock 1.1's, which every Windows has?
bool is_fixed(WORD ordinal)
{
    return ordinal <= 151 || ordinal == 500;
}

void every_name_of_windows_is_exported(void**) // [exports/1]
{
    constexpr bool is_64_bit = sizeof(void*) == 8;
    unsigned missing = 0;
    for (const Export& entry : kExports) {
        const bool is_there = find_export(entry.name);
        if (is_there != (is_64_bit || !entry.is_for_64_bit_only)) {
            print_error("%s\n", entry.name);
            ++missing;
        }
    }
    assert_int_equal(missing, 0);
}

void the_names_of_winsock_1_have_their_ordinals(void**) // [exports/2]
{
    unsigned count = 0;
    for (const Export& entry : kExports) {
        if (!is_fixed(entry.ordinal))
            continue;
        assert_non_null(find_export(entry.name));
        assert_ptr_equal(
            find_export(entry.name), find_export(reinterpret_cast<const char*>(entry.ordinal)));
        ++count;
    }
    assert_int_equal(count, 48);
}

void what_other_libraries_and_headers_have_is_not_exported(void**) // [exports/3]
{
    for (const char* name : { "SetSocketMediaStreamingMode", "WSARecvMsg", "AcceptEx",
             "gai_strerrorA", "gai_strerrorW", "SocketNotificationRetrieveEvents" })
        assert_null(find_export(name));
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(every_name_of_windows_is_exported),
    cmocka_unit_test(the_names_of_winsock_1_have_their_ordinals),
    cmocka_unit_test(what_other_libraries_and_headers_have_is_not_exported),
};

} // namespace

CONFORMANCE_GROUP(export_table, kCases);
