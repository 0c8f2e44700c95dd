#include "name_table.h"

#include <cstring>

namespace ws2 {

/// Reads "80/tcp" or "6".
static bool parse_number(
    TableKind kind, const TableLine::Word& word, int& number, TableLine::Word& protocol)
{
    constexpr int kMaxNumber = 0xFFFF;
    int digits = 0;
    number = 0;
    while (digits < word.length && word.text[digits] >= '0' && word.text[digits] <= '9') {
        number = number * 10 + (word.text[digits++] - '0');
        if (number > kMaxNumber)
            return false;
    }
    protocol = { word.text + digits, 0 };
    if (!digits)
        return false;
    if (kind == TableKind::kProtocols)
        return digits == word.length;
    if (digits == word.length || word.text[digits] != '/')
        return false;
    protocol = { word.text + digits + 1, word.length - digits - 1 };
    return true;
}

static bool is_named(const TableLine& line, const char* name)
{
    for (int i = 0; i < line.count; ++i) {
        if (i != 1 && line.words[i].equals(name))
            return true;
    }
    return false;
}

static bool take_line(
    TableKind kind, const TableLine& line, const NameQuery& query, NamedNumber& found)
{
    TableLine::Word protocol;
    if (line.count < 2 || !parse_number(kind, line.words[1], found.number, protocol))
        return false;
    if ((query.number >= 0 && query.number != found.number)
        || (query.protocol && !protocol.equals(query.protocol))
        || (query.name && !is_named(line, query.name)))
        return false;
    if (!line.words[0].copy(found.name, NamedNumber::kMaxText)
        || !protocol.copy(found.protocol, NamedNumber::kMaxText))
        return false;
    found.alias_count = 0;
    for (int i = 2; i < line.count && found.alias_count < NamedNumber::kMaxAliases; ++i) {
        if (line.words[i].copy(found.aliases[found.alias_count], NamedNumber::kMaxText))
            ++found.alias_count;
    }
    return true;
}

static bool take_builtin(const BuiltinName& row, const NameQuery& query, NamedNumber& found)
{
    const auto word = [](const char* text) {
        return TableLine::Word { text, static_cast<int>(text ? std::strlen(text) : 0) };
    };
    if ((query.number >= 0 && query.number != row.number)
        || (query.protocol && (!row.protocol || !word(row.protocol).equals(query.protocol)))
        || (query.name && !word(row.name).equals(query.name)
            && !(row.alias && word(row.alias).equals(query.name))))
        return false;
    word(row.name).copy(found.name, NamedNumber::kMaxText);
    word(row.protocol).copy(found.protocol, NamedNumber::kMaxText);
    found.number = row.number;
    found.alias_count = row.alias ? 1 : 0;
    if (row.alias)
        word(row.alias).copy(found.aliases[0], NamedNumber::kMaxText);
    return true;
}

FileAnswer find_in_file(
    TableKind kind, SystemFile& file, const NameQuery& query, NamedNumber& found)
{
    FileAnswer answer = FileAnswer::kEmpty;
    SystemFile::Reader reader(file);
    for (TableLine line; reader.next(line);) {
        if (take_line(kind, line, query, found))
            return FileAnswer::kFound;
        answer = FileAnswer::kNotFound;
    }
    return answer;
}

bool find_builtin(std::span<const BuiltinName> builtin, const NameQuery& query, NamedNumber& found)
{
    for (const BuiltinName& row : builtin) {
        if (take_builtin(row, query, found))
            return true;
    }
    return false;
}

} // namespace ws2
