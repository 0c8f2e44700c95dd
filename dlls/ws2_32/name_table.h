// Tables that give numbers names: services and protocols.
#pragma once

#include "system_file.h"

namespace ws2 {

/// An entry of such a table. Owner: the call that asked.
struct NamedNumber {
    static constexpr int kMaxText = 64;
    static constexpr int kMaxAliases = 16;
    char name[kMaxText];
    char aliases[kMaxAliases][kMaxText];
    int alias_count;
    int number; // a port in host order, or a protocol
    char protocol[kMaxText]; // of a service
};

/// What to look for in a table; only what is set counts.
struct NameQuery {
    const char* name = nullptr; // name or alias, ASCII case ignored
    int number = -1;
    const char* protocol = nullptr; // of a service
};

/// An entry of the built-in tables, used where the system's files have none.
struct BuiltinName {
    const char* name;
    int number;
    const char* protocol; // of a service; null for a protocol
    const char* alias; // may be null
};

/// Whether the number column of a table carries a protocol: "80/tcp".
enum class TableKind { kServices, kProtocols };

/// Looks through the files in order, then through the built-in table.
bool find_name(TableKind kind, SystemFile (&files)[2], const BuiltinName* builtin,
    size_t builtin_count, const NameQuery& query, NamedNumber& found);

} // namespace ws2
