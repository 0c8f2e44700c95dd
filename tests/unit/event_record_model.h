// The record of network events as it should be: a model small enough to be seen to be right.
//
// Everything happens one step after the other and is known at once, so there is no pump, nothing is
// looked at and nothing is late: what happens is recorded when it happens. The rules are those of
// spec/WSAEventSelect.md.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "afd/ioctl.h"
#include "ntke/calls.h"

namespace model {

/// What is true of a socket, whoever knows it.
struct Facts {
    bool has_data = false;
    bool has_urgent = false;
    bool has_room = false;
    bool has_connections = false;
    bool has_ended = false;
    bool was_reset = false;
};

class Record {
public:
    ntke::SocketState state = ntke::SocketState::Unconnected;
    uint32_t flags = 0; // ntke::SocketFlags

    uint32_t mask = 0;
    uint32_t pending = 0;
    uint32_t reported = 0;
    bool is_recording = false; // from the first selection on
    /// Selected conditions recorded, for which the event has to be set.
    uint32_t due = 0;
    /// The same, but it may have been set unseen.
    uint32_t maybe_due = 0;
    /// Conditions recorded, at which the endpoint need not have looked yet.
    uint32_t unseen = 0;

    /// The conditions that hold.
    uint32_t levels(const Facts& facts) const
    {
        using namespace afd;
        using ntke::SocketState;
        const bool has_peer = flags & (ntke::kSocketConnected | ntke::kSocketHasPeer);
        const bool can_receive = !(flags & ntke::kSocketReceiveShutDown);
        const bool can_send = !(flags & ntke::kSocketSendShutDown);
        uint32_t conditions = 0;
        switch (state) {
        case SocketState::Listening:
            return facts.has_connections ? uint32_t { kPollAccept } : 0u;
        case SocketState::ConnectFailed:
            return kPollConnectFail;
        case SocketState::Datagram:
            if (!(flags & ntke::kSocketBound))
                return 0; // [WSAEventSelect/65]
            break;
        case SocketState::Connected:
            break;
        default:
            return 0; // [WSAEventSelect/19]
        }
        if (has_peer)
            conditions |= kPollConnect;
        if (facts.has_room && can_send)
            conditions |= kPollSend;
        if (facts.has_data && can_receive)
            conditions |= kPollReceive;
        if (facts.has_urgent && can_receive)
            conditions |= kPollReceiveExpedited;
        if (facts.was_reset)
            conditions |= kPollAbort; // [WSAEventSelect/59]
        else if (facts.has_ended)
            conditions |= kPollDisconnect;
        return conditions;
    }

    /// Something new: recorded although the same was told before, [WSAEventSelect/23]
    /// [WSAEventSelect/41] [WSAEventSelect/52], except what is told once.
    void happened(uint32_t condition, const Facts& facts)
    {
        if (!is_recording || !(levels(facts) & condition))
            return;
        if (condition == group_of(condition) || is_open(condition))
            record(condition);
    }
    /// What is true is recorded unless it was told. [WSAEventSelect/14] [WSAEventSelect/15]
    void look(const Facts& facts)
    {
        if (!is_recording)
            return;
        const uint32_t conditions = levels(facts);
        for (uint32_t condition = 1; condition <= conditions; condition <<= 1) {
            if ((conditions & condition) && is_open(condition))
                record(condition);
        }
    }
    /// The re-enabling call has been made: what is true is told again. [WSAEventSelect/24]
    /// [WSAEventSelect/38] [WSAEventSelect/42]
    void re_enable(uint32_t conditions, const Facts& facts)
    {
        forget(conditions);
        look(facts);
    }
    void forget(uint32_t conditions)
    {
        pending &= ~conditions;
        reported &= ~conditions;
        due &= ~conditions;
        maybe_due &= ~conditions;
        unseen &= ~conditions;
    }
    /// The record stays; what of it is in the new mask is told to the new event at once.
    /// [WSAEventSelect/12] [WSAEventSelect/13] [WSAEventSelect/17]
    void select(uint32_t new_mask, const Facts& facts)
    {
        is_recording |= new_mask != 0;
        mask = new_mask;
        look(facts);
        due = pending & mask;
        maybe_due = 0;
    }
    /// [WSAEnumNetworkEvents/11] [WSAEnumNetworkEvents/12]
    uint32_t enumerate()
    {
        const uint32_t told = pending & mask;
        pending &= ~told;
        reported |= told;
        due = maybe_due = 0;
        return told;
    }
    /// The record goes to the host; what is here begins anew.
    void hand_over()
    {
        mask = 0;
        is_recording = false;
        forget(~0u);
    }

private:
    /// Conditions that are one: told once between them. [WSAEventSelect/28] [WSAEventSelect/55]
    static uint32_t group_of(uint32_t condition)
    {
        for (const uint32_t group : { uint32_t { afd::kPollDisconnect } | afd::kPollAbort,
                 uint32_t { afd::kPollConnect } | afd::kPollConnectFail }) {
            if (condition & group)
                return group;
        }
        return condition;
    }
    bool is_open(uint32_t condition) const { return !((pending | reported) & group_of(condition)); }
    void record(uint32_t condition)
    {
        pending |= condition;
        reported &= ~condition;
        due |= condition & mask;
        unseen |= condition;
    }
};

} // namespace model
