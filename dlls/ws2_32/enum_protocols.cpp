// WSAEnumProtocolsA/W, WSCEnumProtocols.
#include "caller.h"
#include "catalog.h"

#include "error.h"
#include "guard.h"
#include "startup.h"

#include <ws2spi.h>

namespace ws2 {

namespace {

/// Which entries a caller asks for.
class ProtocolFilter {
public:
    /// `protocols` is the application's zero-terminated list, or null for all. Sets `error` to
    /// WSAEFAULT when the list cannot be read.
    ProtocolFilter(const INT* protocols, int& error)
    {
        if (!protocols)
            return;
        m_all = false;
        // The catalog has few protocols: more entries than this cannot change the answer.
        for (m_count = 0; m_count < kCapacity; ++m_count) {
            if (!guard::read(protocols + m_count, m_protocols[m_count])) {
                error = WSAEFAULT;
                return;
            }
            if (!m_protocols[m_count])
                return;
        }
    }

    bool includes(int protocol) const
    {
        for (unsigned i = 0; i < m_count; ++i) {
            if (m_protocols[i] == protocol)
                return true;
        }
        return m_all;
    }

private:
    static constexpr unsigned kCapacity = 64;
    INT m_protocols[kCapacity];
    unsigned m_count = 0;
    bool m_all = true;
};

/// The hidden entries are for configuration programs only. [WSAEnumProtocols/4]
enum class Hidden : bool { kLeaveOut, kInclude };

const WSAPROTOCOL_INFOW& as_form(const WSAPROTOCOL_INFOW& info, WSAPROTOCOL_INFOW*)
{
    return info;
}

WSAPROTOCOL_INFOA as_form(const WSAPROTOCOL_INFOW& info, WSAPROTOCOL_INFOA*)
{
    return ansi_protocol_info(info);
}

/// Lists the entries in the form of `Info`. Returns their number, or SOCKET_ERROR with `error`.
template <typename Info>
int enum_protocols(const INT* protocols, Hidden hidden, Info* buffer, DWORD* size, int& error)
{
    error = 0;
    const ProtocolFilter filter(protocols, error);
    DWORD room;
    if (!error && (!size || !guard::read(size, room)))
        error = WSAEFAULT;
    if (error)
        return SOCKET_ERROR;

    WSAPROTOCOL_INFOW entries[kMaxCatalogSize];
    unsigned count = 0;
    for (unsigned i = 0; i < catalog_size(); ++i) {
        entries[count] = catalog_entry(i);
        const bool is_hidden = entries[count].dwProviderFlags & PFL_HIDDEN;
        if (filter.includes(entries[count].iProtocol) && (!is_hidden || hidden == Hidden::kInclude))
            ++count;
    }
    const DWORD needed = count * sizeof(Info);
    if (!buffer || room < needed) {
        error = guard::write(size, needed) ? WSAENOBUFS : WSAEFAULT; // [WSAEnumProtocols/2]
        return SOCKET_ERROR;
    }
    for (unsigned i = 0; i < count; ++i) {
        if (!guard::write(buffer + i, Info(as_form(entries[i], static_cast<Info*>(nullptr))))) {
            error = WSAEFAULT;
            return SOCKET_ERROR;
        }
    }
    return count;
}

template <typename Info>
int enum_visible_protocols(const void* caller, const INT* protocols, Info* buffer, DWORD* size)
{
    if (!is_started_for(caller))
        return fail(WSANOTINITIALISED);
    int error;
    const int count = enum_protocols(protocols, Hidden::kLeaveOut, buffer, size, error);
    return count == SOCKET_ERROR ? fail(error) : count;
}

} // namespace

} // namespace ws2

using namespace ws2;

int WSAAPI WSAEnumProtocolsW(INT* protocols, WSAPROTOCOL_INFOW* buffer, DWORD* size)
{
    return enum_visible_protocols(WS2_CALLER, protocols, buffer, size);
}

int WSAAPI WSAEnumProtocolsA(INT* protocols, WSAPROTOCOL_INFOA* buffer, DWORD* size)
{
    return enum_visible_protocols(WS2_CALLER, protocols, buffer, size);
}

int WSPAPI WSCEnumProtocols(INT* protocols, WSAPROTOCOL_INFOW* buffer, DWORD* size, INT* error_out)
{
    // Works without WSAStartup; tells the error through its last argument. [service-providers/1]
    int error;
    const int count = enum_protocols(protocols, Hidden::kInclude, buffer, size, error);
    if (count == SOCKET_ERROR)
        guard::write(error_out, INT { error });
    return count;
}
