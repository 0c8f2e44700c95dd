// getsockopt, setsockopt.
#include "option.h"

#include "afd_call.h"
#include "error.h"
#include "guard.h"
#include "startup.h"
#include "thread.h"

namespace ws2 {

DWORD stored_option(Socket& socket, StoredOption option, DWORD initial)
{
    SharedGuard guard(socket.lock);
    return socket.options.get(option, initial);
}

void store_option(Socket& socket, StoredOption option, DWORD initial, DWORD value)
{
    ExclusiveGuard guard(socket.lock);
    socket.options.set(option, initial, value);
}

int give_option(OptionValue& value, const void* data, unsigned size)
{
    if (value.length < size || !guard::copy(value.buffer, data, size))
        return WSAEFAULT;
    value.length = size;
    return 0;
}

int take_option(OptionValue& value, void* data, unsigned size)
{
    if (value.length < size)
        return WSAEFAULT;
    return guard::copy(data, value.buffer, size) ? 0 : WSAEFAULT;
}

int option_error(NTSTATUS status)
{
    return status == STATUS_NOT_SUPPORTED ? WSAENOPROTOOPT : error_from_status(status);
}

/// The common value of an option, from whoever keeps it.
static int get_value(Socket& socket, const OptionRow& row, DWORD& value)
{
    if (row.stored != StoredOption::kCount) {
        value = stored_option(socket, row.stored, row.initial);
        return 0;
    }
    value = 0;
    const NTSTATUS status = afd_call(socket, row.get_code, nullptr, 0, &value, sizeof(value));
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

static int set_value(Socket& socket, const OptionRow& row, DWORD value)
{
    if (row.stored != StoredOption::kCount) {
        store_option(socket, row.stored, row.initial, value);
        return 0;
    }
    const NTSTATUS status = afd_call(socket, row.set_code, &value, sizeof(value), nullptr, 0);
    if (!NT_SUCCESS(status))
        return option_error(status);
    if (row.set_code == afd::kIoctlSetSoOobInline) {
        socket.oob_inline = value != 0;
        filter::tell_state(socket); // urgent data is another condition now
    }
    return 0;
}

static int get_option(Socket& socket, const OptionRow& row, OptionValue& value)
{
    if (row.get)
        return row.get(socket, value);
    const unsigned room = value.length;
    if (row.length == OptionLength::kDword && room < sizeof(DWORD))
        return WSAEFAULT;
    if (!guard::is_writable(value.buffer, 1))
        return WSAEFAULT;
    DWORD data;
    if (const int error = get_value(socket, row, data))
        return error;
    // A buffer shorter than the value gets its lowest byte.
    const bool whole = room >= sizeof(data) && row.length != OptionLength::kOneByte;
    value.length = whole ? sizeof(data) : 1;
    return guard::copy(value.buffer, &data, value.length) ? 0 : WSAEFAULT;
}

static int set_option(Socket& socket, const OptionRow& row, OptionValue& value)
{
    if (row.set)
        return row.set(socket, value);
    DWORD data = 0;
    if (row.length == OptionLength::kDword && value.length < sizeof(data))
        return WSAEFAULT;
    const bool whole = value.length >= sizeof(data) && row.length != OptionLength::kOneByte;
    const unsigned used = whole                ? sizeof(data)
        : row.length == OptionLength::kInteger ? value.length
                                               : 1;
    if (!guard::copy(&data, value.buffer, used))
        return WSAEFAULT;
    if (row.length == OptionLength::kBoolean || row.length == OptionLength::kOneByte)
        data = data != 0; // Any other truth reads back as 1. [setsockopt/7]
    return set_value(socket, row, data);
}

/// A negative length is an unreasonable amount of memory to the protocol's levels and just a large
/// buffer to the socket level. [getsockopt/5]
static int check_length(int level, int length)
{
    return level != SOL_SOCKET && length < 0 ? WSAENOBUFS : 0;
}

/// SO_OPENTYPE belongs to the thread; the socket is not looked at. [setsockopt/12]
static int get_open_type(OptionValue& value)
{
    const Thread* thread = Thread::current();
    const DWORD type = thread ? thread->open_type : 0;
    return give_option(value, &type, sizeof(type));
}

static int set_open_type(OptionValue& value)
{
    DWORD type;
    if (const int error = take_option(value, &type, sizeof(type)))
        return error;
    Thread* thread = Thread::current();
    if (!thread)
        return WSAENOBUFS;
    thread->open_type = type;
    return 0;
}

static bool is_open_type(int level, int name)
{
    return level == SOL_SOCKET && name == SO_OPENTYPE;
}

} // namespace ws2

using namespace ws2;

int WSAAPI getsockopt(SOCKET s, int level, int name, char* buffer, int* length)
{
    SocketRef socket;
    if (!is_open_type(level, name)) {
        socket = find_socket(s);
        if (!socket)
            return SOCKET_ERROR;
    } else if (!is_started()) {
        return fail(WSANOTINITIALISED);
    }

    int room;
    if (!buffer || !length || !guard::read(length, room) || room == 0)
        return fail(WSAEFAULT);
    OptionValue value { buffer, static_cast<unsigned>(room) };
    int error = 0;
    if (is_open_type(level, name))
        error = get_open_type(value);
    else if (const OptionRow* row = find_option(*socket, level, name, Direction::kGet, error); row)
        if (!(error = check_length(level, room)))
            error = get_option(*socket, *row, value);
    // Some options tell a buffer that was too short how much it takes. [getsockopt/3]
    if ((!error || error == WSAEFAULT) && value.length != static_cast<unsigned>(room))
        guard::write(length, static_cast<int>(value.length));
    return error ? fail(error) : succeed();
}

int WSAAPI setsockopt(SOCKET s, int level, int name, const char* buffer, int length)
{
    OptionValue value { const_cast<char*>(buffer), static_cast<unsigned>(length) };
    if (is_open_type(level, name)) {
        if (!is_started())
            return fail(WSANOTINITIALISED);
        const int error = buffer ? set_open_type(value) : WSAEFAULT;
        return error ? fail(error) : succeed();
    }
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;

    int error = 0;
    const OptionRow* row = find_option(*socket, level, name, Direction::kSet, error);
    if (!row)
        return fail(error);
    const bool takes_nothing = level == SOL_SOCKET && name == SO_UPDATE_CONNECT_CONTEXT;
    // The socket level's booleans do not mind a length of 0; the value is there. [setsockopt/4]
    const bool may_be_empty = level == SOL_SOCKET
        && (row->length == OptionLength::kBoolean || row->length == OptionLength::kOneByte);
    if (!takes_nothing && (!buffer || (length == 0 && !may_be_empty)))
        return fail(WSAEFAULT);
    error = check_length(level, length);
    if (!error)
        error = set_option(*socket, *row, value);
    return error ? fail(error) : succeed();
}
