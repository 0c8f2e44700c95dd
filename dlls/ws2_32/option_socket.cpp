// The special options of SOL_SOCKET.
#include "option_special.h"

#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "option_codes.h"
#include "transfer.h"
#include "unix_address.h"

namespace ws2::option {

static int give_dword(OptionValue& value, DWORD data)
{
    return give_option(value, &data, sizeof(data));
}

/// Gives a structure. The length stays the application's. [getsockopt/3]
static int give_structure(OptionValue& value, const void* data, unsigned size)
{
    if (value.length < size)
        return WSAEFAULT;
    return guard::copy(value.buffer, data, size) ? 0 : WSAEFAULT;
}

/// Gives a structure, or tells a buffer that is too short how much it takes. [getsockopt/3]
static int give_or_tell_size(OptionValue& value, const void* data, unsigned size)
{
    const int error = give_structure(value, data, size);
    if (value.length < size)
        value.length = size;
    return error;
}

int get_type(Socket& socket, OptionValue& value)
{
    return give_dword(value, socket.type);
}

int set_read_only_type(Socket& socket, OptionValue&)
{
    return socket.is_stream() ? WSAENOPROTOOPT : WSAEINVAL; // [setsockopt/8]
}

int refuse_low_water_mark(Socket&, OptionValue&)
{
    return WSAEINVAL; // [getsockopt/10]
}

int get_group_id(Socket&, OptionValue& value)
{
    return give_dword(value, 0); // There are no groups.
}

int get_accept_connections(Socket& socket, OptionValue& value)
{
    DWORD listening = socket.listening;
    if (!listening && socket.shared) {
        const NTSTATUS status = afd_call(
            socket, afd::kIoctlGetSoAcceptConn, nullptr, 0, &listening, sizeof(listening));
        if (!NT_SUCCESS(status))
            return option_error(status);
    }
    return give_dword(value, listening);
}

/// What the device has for SO_ERROR, as far as Windows would have it too: the failure of a
/// non-blocking connect, and nothing else. [getsockopt/8]
static int ask_for_error(Socket& socket)
{
    DWORD error = 0;
    const NTSTATUS status
        = afd_call(socket, afd::kIoctlGetSoError, nullptr, 0, &error, sizeof(error));
    return NT_SUCCESS(status) ? error : 0;
}

int get_error(Socket& socket, OptionValue& value)
{
    if (value.length < sizeof(DWORD))
        return WSAEFAULT;
    {
        SharedGuard guard(socket.lock);
        if (socket.option_error)
            return give_dword(value, socket.option_error);
    }
    // A reset, or an ICMP error of a datagram socket, is the next transfer's to report; asking the
    // device would take it away from there.
    if (!socket.is_stream() || socket.connected || socket.listening
        || socket.blocking_connect_failed)
        return give_dword(value, 0);
    return give_dword(value, ask_for_error(socket));
}

int set_error(Socket& socket, OptionValue& value)
{
    int error;
    if (const int failure = take_option(value, &error, sizeof(error)))
        return failure;
    ExclusiveGuard guard(socket.lock);
    socket.option_error = error;
    return 0;
}

int set_conditional_accept(Socket& socket, OptionValue& value)
{
    DWORD on;
    if (const int error = take_option(value, &on, sizeof(on)))
        return error;
    if (socket.listening)
        return WSAEINVAL; // [setsockopt/27]
    store_option(socket, StoredOption::kConditionalAccept, 0, on != 0);
    return 0;
}

static int ask_linger(Socket& socket, LINGER& linger)
{
    linger = {};
    const NTSTATUS status
        = afd_call(socket, afd::kIoctlGetSoLinger, nullptr, 0, &linger, sizeof(linger));
    if (!NT_SUCCESS(status))
        return option_error(status);
    if (linger.l_onoff) // any truth reads back as it was set [setsockopt/20]
        linger.l_onoff
            = static_cast<u_short>(stored_option(socket, StoredOption::kLingerSwitch, 1));
    return 0;
}

static int tell_linger(Socket& socket, const LINGER& linger)
{
    const NTSTATUS status
        = afd_call(socket, afd::kIoctlSetSoLinger, &linger, sizeof(linger), nullptr, 0);
    if (!NT_SUCCESS(status))
        return option_error(status);
    if (linger.l_onoff)
        store_option(socket, StoredOption::kLingerSwitch, 1, linger.l_onoff);
    return 0;
}

int get_linger(Socket& socket, OptionValue& value)
{
    LINGER linger;
    const int error = ask_linger(socket, linger);
    return error ? error : give_option(value, &linger, sizeof(linger));
}

int set_linger(Socket& socket, OptionValue& value)
{
    LINGER linger;
    const int error = take_option(value, &linger, sizeof(linger));
    return error ? error : tell_linger(socket, linger);
}

int get_dont_linger(Socket& socket, OptionValue& value)
{
    LINGER linger;
    if (const int error = ask_linger(socket, linger))
        return error;
    return give_boolean(value, !linger.l_onoff);
}

int set_dont_linger(Socket& socket, OptionValue& value)
{
    BOOL dont = 0;
    // A short value, even one of length 0, is its first byte. [setsockopt/4]
    if (!guard::copy(&dont, value.buffer, value.length >= sizeof(dont) ? sizeof(dont) : 1))
        return WSAEFAULT;
    LINGER linger;
    if (const int error = ask_linger(socket, linger))
        return error;
    linger.l_onoff = !dont;
    return tell_linger(socket, linger);
}

int get_max_message_size(Socket& socket, OptionValue& value)
{
    const WSAPROTOCOL_INFOW info = protocol_info(socket.family, socket.type, socket.protocol);
    // A stream has no messages and so no limit of theirs. [getsockopt/13]
    return give_dword(value, socket.is_stream() ? 0xFFFFFFFF : info.dwMessageSize);
}

int get_protocol_info_w(Socket& socket, OptionValue& value)
{
    const WSAPROTOCOL_INFOW info = protocol_info(socket.family, socket.type, socket.protocol);
    return give_or_tell_size(value, &info, sizeof(info));
}

int get_protocol_info_a(Socket& socket, OptionValue& value)
{
    const WSAPROTOCOL_INFOA info
        = ansi_protocol_info(protocol_info(socket.family, socket.type, socket.protocol));
    return give_or_tell_size(value, &info, sizeof(info));
}

int get_bsp_state(Socket& socket, OptionValue& value)
{
    // The structure, then room for two addresses; what is not known yet is null. [getsockopt/15]
    struct State {
        CSADDR_INFO info;
        char addresses[2 * sizeof(UnixAddress)]; // the longest ones
    } state {};
    const unsigned room = address_length(socket.family);
    const unsigned needed = sizeof(state.info) + 2 * room;
    if (value.length < needed)
        return WSAEFAULT;

    const auto fill = [&](ULONG code, SOCKET_ADDRESS& name, unsigned offset) {
        ULONG_PTR length = 0;
        if (!NT_SUCCESS(
                afd_call(socket, code, nullptr, 0, state.addresses + offset, room, &length)))
            return;
        name.lpSockaddr = reinterpret_cast<SOCKADDR*>(
            static_cast<char*>(value.buffer) + sizeof(state.info) + offset);
        name.iSockaddrLength = room;
    };
    fill(afd::kIoctlGetSockName, state.info.LocalAddr, 0);
    fill(afd::kIoctlGetPeerName, state.info.RemoteAddr, room);
    state.info.iSocketType = socket.type;
    state.info.iProtocol = socket.protocol;
    return give_structure(value, &state, needed);
}

int get_connect_time(Socket& socket, OptionValue& value)
{
    DWORD seconds = 0xFFFFFFFF; // not connected; never for datagrams
    if (value.length < sizeof(seconds))
        return WSAEFAULT;
    if (socket.is_stream()) {
        const NTSTATUS status
            = afd_call(socket, afd::kIoctlGetSoConnectTime, nullptr, 0, &seconds, sizeof(seconds));
        if (!NT_SUCCESS(status))
            return option_error(status);
    }
    return give_dword(value, seconds);
}

/// Does the device say that the socket has a peer?
static bool has_peer(Socket& socket)
{
    if (socket.connected)
        return true;
    SOCKADDR_STORAGE peer;
    return NT_SUCCESS(
        afd_call(socket, afd::kIoctlGetPeerName, nullptr, 0, &peer, address_length(socket.family)));
}

/// Has an AcceptEx connected the socket? ntke knows of those that have waited there.
static bool was_accepted_into(Socket& socket)
{
    return emulation::is_on() ? is_connected(socket) : has_peer(socket);
}

int set_accept_context(Socket& socket, OptionValue& value)
{
    SOCKET handle;
    if (const int error = take_option(value, &handle, sizeof(handle)))
        return error;
    const SocketRef listener = find_socket(handle);
    if (!listener)
        return WSAENOTSOCK;
    if (!was_accepted_into(socket))
        return WSAENOTCONN;
    // The device has given the socket the options it keeps already. [AcceptEx/17]
    OptionStore options;
    {
        SharedGuard guard(listener->lock);
        options = listener->options;
    }
    {
        ExclusiveGuard guard(socket.lock);
        socket.options = options;
    }
    socket.connected = true;
    socket.needs_accept_context = false;
    socket.forget_names();
    return 0;
}

int set_connect_context(Socket& socket, OptionValue&)
{
    if (!has_peer(socket))
        return WSAENOTCONN;
    note_connected(socket);
    filter::note_connect_ended(socket, STATUS_SUCCESS);
    socket.needs_connect_context = false;
    socket.forget_names();
    return 0;
}

} // namespace ws2::option
