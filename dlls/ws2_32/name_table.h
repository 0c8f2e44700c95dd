// Tables that give numbers names: services and protocols.
#pragma once

#include <span>

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

/// An entry of the built-in tables.
struct BuiltinName {
    const char* name;
    int number;
    const char* protocol; // of a service; null for a protocol
    const char* alias; // may be null
};

/// Whether the number column of a table carries a protocol: "80/tcp".
enum class TableKind { kServices, kProtocols };

/// What a file says to a query.
enum class FileAnswer {
    kEmpty, // the file is missing or has no line
    kNotFound,
    kFound,
};

FileAnswer find_in_file(
    TableKind kind, SystemFile& file, const NameQuery& query, NamedNumber& found);

bool find_builtin(std::span<const BuiltinName> builtin, const NameQuery& query, NamedNumber& found);

} // namespace ws2
