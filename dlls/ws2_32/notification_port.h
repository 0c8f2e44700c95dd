// What a completion port has of socket state notifications.
#pragma once

#include "afd/params.h"
#include "ntke/notification.h"
#include "sdk.h"

namespace ws2 {

/// A port that sockets are registered with. Where ntke serves it, packets of polls go to the
/// program's port and are translated in the removal services. Else they go to a port of ours, and a
/// thread sends the program what it is to see.
///
/// Owner: the process, to its end: who takes a packet may look at it although the port is closed.
/// The handles end with the program's port, or, on the host, with the next port that sockets are
/// registered with.
class NotificationPort : public ntke::NotificationPort {
public:
    /// That of the program's port. Returns 0, WSAEINVAL (it is no port) or WSAENOBUFS.
    static int find(HANDLE port, NotificationPort*& found);
    /// The same, null: no socket has been registered with it.
    static NotificationPort* find_known(HANDLE port);

    /// Makes the poll of a registration that is outstanding. Returns 0 or a Winsock error: its
    /// socket is no socket.
    static int ask(ntke::Registration& registration);
    /// Ends its poll; the packet comes.
    static void end_poll(ntke::Registration& registration);
    /// Makes a packet come of a registration that is outstanding without a poll.
    static void post(ntke::Registration& registration);
    /// A thread is about to take packets: what was told of is asked again, where that is ours to
    /// do.
    void wake();

private:
    NotificationPort()
        : ntke::NotificationPort {}
    {
    }
    int open(HANDLE port);
    bool open_here(HANDLE port);
    bool open_on_host(HANDLE port);
    void abandon();
    static DWORD WINAPI run_host(void*);
    void send_on(const CompletionPacket& packet);
    void look();
    HANDLE poll_port() const;

    NotificationPort* m_next = nullptr;
    HANDLE m_port = nullptr; // the program's, as it was given
    bool m_is_on_host = false;
    HANDLE m_own_port = nullptr; // on the host: a duplicate; null once the program's is closed
};

} // namespace ws2
