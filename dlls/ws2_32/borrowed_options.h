// Control data of a send where the kernel takes none with a send.
#pragma once

#include "lock.h"
#include "sdk.h"

namespace ws2 {

class Socket;

/// Options of a socket that stand for control data as long as one send is issued, and until it is
/// done where the call waits for that: the host has no other way to obey them. Such sends of a
/// socket are issued one after the other. An overlapped one that pends goes out with the socket's
/// own options. Owner: the call, which has a reference to the socket. [WSASendMsg/10]
class BorrowedOptions {
public:
    explicit BorrowedOptions(Socket& socket);
    ~BorrowedOptions();
    BorrowedOptions(const BorrowedOptions&) = delete;

    /// Sets what `control` asks for. `to` is the destination, null: the socket's peer. Returns 0 or
    /// the Winsock error; WSAEINVAL: it cannot be obeyed this way, or makes no sense.
    int borrow(const WSABUF& control, const sockaddr* to);

private:
    static constexpr size_t kMost = 4;
    struct Loan {
        ULONG set_code;
        DWORD value; // to be given back
    };

    int read(const WSABUF& control, DWORD* wanted, bool* is_wanted);
    bool lend(ULONG get_code, ULONG set_code, DWORD mask, DWORD value);

    Socket& m_socket;
    ExclusiveGuard m_guard;
    Loan m_loans[kMost];
    size_t m_count = 0;
};

} // namespace ws2
