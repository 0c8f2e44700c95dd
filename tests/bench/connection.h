#pragma once

#include "measure.h"
#include "sockets.h"

namespace bench {

/// Eight bytes from `client` to `server`: the two are one connection. Then both are closed, the
/// client by a reset.
inline bool use_and_close(UniqueSocket& client, UniqueSocket& server, uint64_t number)
{
    uint64_t received = ~number;
    if (!send_all(client.get(), &number, sizeof(number))
        || !recv_all(server.get(), &received, sizeof(received)) || received != number)
        return fail("a transfer on a new connection");
    server.reset();
    return expect(close_with_reset(client.release()), "closing the client");
}

/// A whole connection with blocking calls: connect, accept, eight bytes, both ends closed.
class ConnectAcceptClose : public Workload {
public:
    bool set_up() override
    {
        m_listener.reset(listen_on_loopback(m_address));
        return expect(m_listener.is_valid(), "making a listener");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            UniqueSocket client;
            UniqueSocket server;
            if (!connect_pair(m_listener.get(), m_address, client, server))
                return fail("connect or accept");
            if (!use_and_close(client, server, i))
                return false;
        }
        return true;
    }

private:
    UniqueSocket m_listener;
    sockaddr_in m_address = {};
};

} // namespace bench
