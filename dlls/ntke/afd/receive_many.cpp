// Datagrams that have come in a burst, for the receives that wait for them.
#include <algorithm>

#include "afd/socket_file.h"
#include "afd/transfer.h"
#include "ke/user_memory.h"

namespace afd {

namespace {

/// Wants a receive nothing but its data, and the sender's address?
bool is_plain(const Transfer& transfer)
{
    return transfer.total && transfer.remaining_count() == 1 && !transfer.flags && !transfer.control
        && !transfer.tells_message && !transfer.local;
}

/// The rest of a receive whose datagram is in its buffer.
NTSTATUS tell_sender(const Transfer& transfer, const HostSocket::Arrival& arrival)
{
    if (transfer.address && transfer.address_length) {
        const auto length = static_cast<int32_t>(arrival.from.length);
        if (!ke::write_user(transfer.address, arrival.from.bytes, arrival.from.length)
            || !ke::write_user_value(transfer.address_length, length))
            return STATUS_ACCESS_VIOLATION; // gone since the request was made
    }
    return arrival.is_truncated ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

} // namespace

/// Mostly one datagram has come. Each that is followed by another makes more of them likely.
void SocketFile::serve_burst(Completions& done)
{
    constexpr uint32_t kGrowth = 4;
    uint32_t most = kGrowth;
    while (serve_plain_receives(most, done))
        most = std::min(kGrowth * most, HostSocket::kMostArrivals);
}

/// Claims receives from the front of the queue that can be served in one call.
uint32_t SocketFile::claim_plain_receives(
    io::Irp** claimed, HostSocket::Arrival* arrivals, uint32_t most)
{
    uint32_t count = 0;
    for (io::Irp* irp = m_receives.first(); irp && count < most; irp = irp->driver.next) {
        const auto& transfer = static_cast<const Transfer&>(Request::of(*irp));
        if (!is_plain(transfer) || (m_host_handle && !transfer.touch()))
            break; // it is served alone
        if (!irp->claim())
            continue; // a canceller has it and will take it off
        arrivals[count].buffer = *transfer.remaining();
        arrivals[count].wants_from = transfer.address;
        claimed[count++] = irp;
    }
    return count;
}

bool SocketFile::serve_plain_receives(uint32_t most, Completions& done)
{
    io::Irp* claimed[HostSocket::kMostArrivals];
    HostSocket::Arrival arrivals[HostSocket::kMostArrivals];
    const uint32_t count = claim_plain_receives(claimed, arrivals, most);
    const uint32_t received = count > 1 ? m_socket.receive_many(arrivals, count) : 0;
    for (uint32_t i = 0; i < count; ++i) {
        io::Irp& irp = *claimed[i];
        NTSTATUS status;
        ULONG_PTR information = 0;
        if (i < received) {
            status = tell_sender(static_cast<Transfer&>(Request::of(irp)), arrivals[i]);
            information = status == STATUS_ACCESS_VIOLATION ? 0 : arrivals[i].length;
        } else if (irp.unclaim()) {
            continue;
        } else {
            status = status_of_unserved(irp);
        }
        irp.publish(status, information);
        m_receives.remove(irp);
        done.add(irp, status, information);
    }
    return count && received == count;
}

} // namespace afd
