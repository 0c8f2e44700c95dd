// Endpoints of a test's descriptors, whose states the test tells.
#pragma once

#include "afd/endpoint.h"
#include "ke/pool.h"

namespace unit {

/// What there is of a SocketFile without requests, as if a host had made the socket.
class TestEndpoint final : public afd::Endpoint {
public:
    using Endpoint::Endpoint;

    /// Makes one that owns the descriptor, also on failure. Errors: STATUS_NO_MEMORY.
    static NTSTATUS attach(int fd, const ntke::AttachArgs& args, ob::Ref<afd::Endpoint>& endpoint)
    {
        const auto created
            = ob::Ref<TestEndpoint>::adopt(ke::pool_new<TestEndpoint>(Mode::Asynchronous));
        if (!created) {
            afd::HostSocket(fd).close();
            return STATUS_NO_MEMORY;
        }
        created->m_socket.adopt(fd);
        created->m_family = args.family;
        created->m_type = args.type;
        created->m_protocol = args.protocol;
        created->m_host_handle = args.handle;
        created->m_flags = args.flags;
        created->m_state = static_cast<afd::SocketState>(args.state);
        endpoint = ob::Ref<afd::Endpoint>::share(created.get());
        return STATUS_SUCCESS;
    }

    void change(afd::SocketState state, uint32_t flags, NTSTATUS status, uint32_t accepted)
        EXCLUDES(m_lock)
    {
        afd::Signal signal;
        ke::LockGuard guard(m_lock);
        apply_state(state, flags, status, accepted, signal);
    }
};

/// The host has changed the state of an endpoint that TestEndpoint has made. `accepted` connections
/// have left a listener's queue.
inline void set_state(afd::Endpoint& endpoint, afd::SocketState state, uint32_t flags,
    NTSTATUS status, uint32_t accepted)
{
    static_cast<TestEndpoint&>(endpoint).change(state, flags, status, accepted);
}

} // namespace unit
