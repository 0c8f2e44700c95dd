// Control data of a send where the kernel takes none with a send.
#pragma once

#include "lock.h"
#include "sdk.h"

namespace ws2 {

class Socket;

/// Options of a socket that stand for control data as long as one send is issued: the host has no
/// other way to obey them. Such sends of the process are issued one after the other. Owner: the
/// call. [WSASendMsg/10]
class BorrowedOptions {
public:
    BorrowedOptions();
    ~BorrowedOptions();
    BorrowedOptions(const BorrowedOptions&) = delete;

    /// Sets what `control` asks for. `to` is the destination, null: the socket's peer. Returns 0 or
    /// the Winsock error; WSAEINVAL: it cannot be obeyed this way, or makes no sense.
    int borrow(Socket& socket, const WSABUF& control, const sockaddr* to);

private:
    static constexpr size_t kMost = 4;
    struct Loan {
        ULONG set_code;
        DWORD value; // to be given back
    };

    int read(const Socket& socket, const WSABUF& control, DWORD* wanted, bool* is_wanted);
    bool lend(Socket& socket, ULONG get_code, ULONG set_code, DWORD mask, DWORD value);

    ExclusiveGuard m_guard;
    SOCKET m_socket = INVALID_SOCKET;
    Loan m_loans[kMost];
    size_t m_count = 0;
};

} // namespace ws2
