#include "hosts_file.h"

#include "system_file.h"

namespace ws2 {

static SystemFile hosts_files[] = {
    { SystemFile::Place::kWindows, L"hosts" },
    { SystemFile::Place::kUnix, L"hosts" },
};

static bool line_address(const TableLine& line, HostAddress& address)
{
    wchar_t text[kMaxHostName];
    return line.count > 1 && line.words[0].copy(text, kMaxHostName)
        && parse_host_address(text, AF_UNSPEC, address);
}

/// Takes the first name of a line as the canonical name, if there is none yet, and the others as
/// aliases. False: memory is out.
static bool take_names(const TableLine& line, HostAnswer& answer)
{
    wchar_t name[kMaxHostName];
    for (int i = 1; i < line.count; ++i) {
        if (!line.words[i].copy(name, kMaxHostName))
            continue;
        if (!answer.name[0])
            answer.set_name(name);
        else if (!equal_names(name, answer.name) && !answer.add_alias(name))
            return false;
    }
    return true;
}

int find_host_by_name(const wchar_t* name, int family, HostAnswer& answer, bool& known)
{
    known = false;
    for (SystemFile& file : hosts_files) {
        SystemFile::Reader reader(file);
        for (TableLine line; reader.next(line);) {
            bool is_named = false;
            for (int i = 1; i < line.count && !is_named; ++i)
                is_named = line.words[i].equals(name);
            HostAddress address;
            if (!is_named || !line_address(line, address))
                continue;
            known = true;
            if (family != AF_UNSPEC && address.family != family)
                continue;
            if (!answer.add(address) || !take_names(line, answer))
                return WSA_NOT_ENOUGH_MEMORY;
        }
        if (answer.addresses.count())
            return 0;
    }
    return 0;
}

int find_host_by_address(const HostAddress& address, HostAnswer& answer, bool& known)
{
    known = false;
    for (SystemFile& file : hosts_files) {
        SystemFile::Reader reader(file);
        for (TableLine line; reader.next(line);) {
            HostAddress candidate;
            if (!line_address(line, candidate) || !(candidate == address))
                continue;
            known = true;
            return answer.add(address) && take_names(line, answer) ? 0 : WSA_NOT_ENOUGH_MEMORY;
        }
    }
    return 0;
}

} // namespace ws2
