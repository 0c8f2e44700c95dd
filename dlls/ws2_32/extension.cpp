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

extern "C" {
// The gates before them, of the same types.
decltype(accept_ex) gate_accept_ex;
decltype(connect_ex) gate_connect_ex;
decltype(disconnect_ex) gate_disconnect_ex;
decltype(transmit_file) gate_transmit_file;
decltype(transmit_packets) gate_transmit_packets;
decltype(recv_msg) gate_recv_msg;
decltype(::WSASendMsg) gate_WSASendMsg;
decltype(::WSAPoll) gate_WSAPoll;
}

void* find_extension(const GUID& guid)
{
    const ExtensionRow extensions[] = {
        { WSAID_ACCEPTEX, address_of(gate_accept_ex) },
        { WSAID_GETACCEPTEXSOCKADDRS, address_of(get_accept_ex_sockaddrs) },
        { WSAID_CONNECTEX, address_of(gate_connect_ex) },
        { WSAID_DISCONNECTEX, address_of(gate_disconnect_ex) },
        { WSAID_TRANSMITFILE, address_of(gate_transmit_file) },
        { WSAID_TRANSMITPACKETS, address_of(gate_transmit_packets) },
        { WSAID_WSARECVMSG, address_of(gate_recv_msg) },
        { kWsaSendMsg, address_of(gate_WSASendMsg) },
        { kWsaPoll, address_of(gate_WSAPoll) },
    };
    for (const ExtensionRow& row : extensions) {
        if (IsEqualGUID(row.guid, guid))
            return row.function;
    }
    return nullptr;
}

} // namespace ws2
