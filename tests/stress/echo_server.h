#pragma once

#include "harness.h"
#include "loopback.h"
#include "thread.h"

#include <memory>
#include <vector>

namespace stress {

/// An echo server of several event loops. One thread accepts, driven by FD_ACCEPT, and hands the
/// connections round; each of the others waits for up to 63 connections and for new ones. What
/// cannot be sent at once waits for FD_WRITE. Lives on the thread that makes it; its destructor
/// returns when every connection has ended.
class EchoServer {
public:
    EchoServer();
    ~EchoServer();

    const sockaddr_in& address() const { return m_address; }

private:
    class Loop;

    void accept_connections();

    sockaddr_in m_address = {};
    bench::UniqueSocket m_listener;
    bench::UniqueEvent m_acceptable;
    bench::UniqueEvent m_stop;
    std::vector<std::unique_ptr<Loop>> m_loops;
    bench::Thread m_acceptor;
    Activity* m_activity;
};

} // namespace stress
