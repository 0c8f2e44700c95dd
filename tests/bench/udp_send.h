#pragma once

// Sending datagrams, which nobody reads where only sending is measured; on Windows and on Linux.

#include "measure.h"
#include "sockets.h"

#include <algorithm>

namespace bench {

inline constexpr unsigned kDatagram = 64; // bytes
inline constexpr unsigned kBatch = 32; // datagrams

/// Two sockets, one of which sends to the other; one operation is one datagram.
class Sender : public Workload {
public:
    bool set_up() override
    {
        m_receiver.reset(bind_udp_on_loopback(m_address));
        sockaddr_in own;
        m_sender.reset(bind_udp_on_loopback(own));
        return expect(m_receiver.is_valid() && m_sender.is_valid()
                && !connect(m_sender.get(), reinterpret_cast<const sockaddr*>(&m_address),
                    sizeof(m_address)),
            "making UDP sockets");
    }

protected:
    UniqueSocket m_receiver;
    UniqueSocket m_sender;
    sockaddr_in m_address = {};
    char m_data[kBatch * kDatagram] = {};
};

class SendOneByOne : public Sender {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const auto sent = sendto(m_sender.get(), m_data + i % kBatch * kDatagram, kDatagram, 0,
                reinterpret_cast<const sockaddr*>(&m_address), sizeof(m_address));
            if (sent != int { kDatagram })
                return fail("sendto");
        }
        return true;
    }
};

} // namespace bench
