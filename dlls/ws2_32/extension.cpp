#include "extension.h"

namespace ws2 {

namespace {

struct ExtensionRow {
    GUID guid;
    void* function;
};

constexpr GUID kWsaSendMsg
    = { 0xa441e712, 0x754f, 0x43ca, { 0x84, 0xa7, 0x0d, 0xee, 0x44, 0xcf, 0x60, 0x6d } };
constexpr GUID kWsaPoll
    = { 0x18c76f85, 0xdc66, 0x4964, { 0x97, 0x2e, 0x23, 0xc2, 0x72, 0x38, 0x31, 0x2b } };

template <typename Function> void* address_of(Function* function)
{
    return reinterpret_cast<void*>(function);
}

} // namespace

void* find_extension(const GUID& guid)
{
    const ExtensionRow extensions[] = {
        { WSAID_ACCEPTEX, address_of(accept_ex) },
        { WSAID_GETACCEPTEXSOCKADDRS, address_of(get_accept_ex_sockaddrs) },
        { WSAID_CONNECTEX, address_of(connect_ex) },
        { WSAID_DISCONNECTEX, address_of(disconnect_ex) },
        { WSAID_TRANSMITFILE, address_of(transmit_file) },
        { WSAID_TRANSMITPACKETS, address_of(transmit_packets) },
        { WSAID_WSARECVMSG, address_of(recv_msg) },
        { kWsaSendMsg, address_of(WSASendMsg) },
        { kWsaPoll, address_of(WSAPoll) },
    };
    for (const ExtensionRow& row : extensions) {
        if (IsEqualGUID(row.guid, guid))
            return row.function;
    }
    return nullptr;
}

} // namespace ws2
