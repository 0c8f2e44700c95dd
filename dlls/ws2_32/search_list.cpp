#include "search_list.h"

#include <cwchar>

#include "host_address.h"
#include "system_file.h"

namespace ws2 {

static SystemFile resolver_file { SystemFile::Place::kUnix, L"resolv.conf" };

bool list_search_suffixes(HeapArray<wchar_t>& suffixes)
{
    SystemFile::Reader reader(resolver_file);
    for (TableLine line; reader.next(line);) {
        if (!line.words[0].equals("search") && !line.words[0].equals("domain"))
            continue;
        suffixes.truncate(0); // The last line counts, as the file's manual page says.
        for (int i = 1; i < line.count; ++i) {
            wchar_t suffix[kMaxHostName];
            if (!line.words[i].copy(suffix, kMaxHostName))
                continue;
            size_t length = std::wcslen(suffix);
            if (suffix[length - 1] == '.')
                suffix[--length] = 0;
            if (length && !suffixes.append(suffix, length + 1))
                return false;
        }
    }
    return true;
}

} // namespace ws2
