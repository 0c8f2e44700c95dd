// What a test of endpoints against the model does: a list of steps, and the World they are done in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace schedule {

constexpr uint32_t kOperations = 64;
/// Slots of a world: 0 a listener, 1 a stream to connect, 2 a datagram socket, 3 an accepted
/// stream, until they are replaced.
constexpr uint32_t kSlots = 4;
constexpr uint32_t kEvents = 3;

enum class Step : uint8_t {
    Data,
    Urgent,
    End,
    Reset,
    PeerReads,
    Connection,
    Datagram,
    DatagramError,
    Select,
    Cancel,
    SelectUnwatched,
    Enumerate,
    Receive,
    ReceiveUrgent,
    ReceiveBadly,
    Send,
    Accept,
    Listen,
    Connect,
    ConnectEnds,
    HostSettles,
    Bind,
    SetPeer,
    DropPeer,
    ShutDownSends,
    ShutDownReceives,
    TellState,
    HandOver,
    Replace,
    SetEvent,
    ResetEvent,
    PumpFetches,
    PumpTells,
    PumpTellsAgain,
    kCount
};

struct StepRow {
    Step step;
    const char* name;
    uint32_t weight;
};

inline constexpr StepRow kSteps[] = {
    { Step::Data, "data arrives", 6 },
    { Step::Urgent, "an urgent byte arrives", 3 },
    { Step::End, "the end arrives", 2 },
    { Step::Reset, "a reset arrives", 1 },
    { Step::PeerReads, "the peer reads", 4 },
    { Step::Connection, "a connection arrives", 5 },
    { Step::Datagram, "a datagram arrives", 6 },
    { Step::DatagramError, "an error arrives", 1 },
    { Step::Select, "select", 9 },
    { Step::Cancel, "cancel the selection", 1 },
    { Step::SelectUnwatched, "select, which fails", 1 },
    { Step::Enumerate, "enumerate", 12 },
    { Step::Receive, "receive", 8 },
    { Step::ReceiveUrgent, "receive urgent data", 3 },
    { Step::ReceiveBadly, "receive to nowhere", 1 },
    { Step::Send, "send", 7 },
    { Step::Accept, "accept", 3 },
    { Step::Listen, "listen", 2 },
    { Step::Connect, "connect", 4 },
    { Step::ConnectEnds, "the connect ends", 4 },
    { Step::HostSettles, "the host tells how", 3 },
    { Step::Bind, "bind", 2 },
    { Step::SetPeer, "set the peer", 1 },
    { Step::DropPeer, "drop the peer", 1 },
    { Step::ShutDownSends, "shut down sends", 1 },
    { Step::ShutDownReceives, "shut down receives", 1 },
    { Step::TellState, "tell the state again", 1 },
    { Step::HandOver, "hand over", 1 },
    { Step::Replace, "close, and make another", 2 },
    { Step::SetEvent, "set the event", 1 },
    { Step::ResetEvent, "reset the event", 5 },
    { Step::PumpFetches, "the pump fetches", 8 },
    { Step::PumpTells, "the pump tells", 10 },
    { Step::PumpTellsAgain, "the pump tells again", 2 },
};
static_assert(std::size(kSteps) == static_cast<size_t>(Step::kCount));

struct Operation {
    Step step;
    uint8_t slot;
    uint8_t amount; // bytes, a size, a kind
    uint8_t choice; // an event, or which way
    uint16_t mask;
};

struct Schedule {
    bool is_settled_by_host;
    uint32_t count;
    Operation operations[kOperations];
};

struct Outcome {
    uint32_t length = 0; // operations up to the first difference, 0: none
    const char* failure = nullptr;
    uint32_t told = 0;
    uint32_t expected = 0;
};

/// Does the operations, then lets the pump tell everything and enumerates.
Outcome run(const Schedule& schedule);
/// Operations that could be done, so far.
uint64_t steps_done();

} // namespace schedule
