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

int give_boolean(OptionValue& value, DWORD data)
{
    const unsigned room = value.length;
    const bool is_whole = room >= sizeof(data);
    value.length = is_whole ? sizeof(data) : 1;
    return guard::copy(value.buffer, &data, is_whole ? sizeof(data) : room) ? 0 : WSAEFAULT;
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
    value = 0;
    const NTSTATUS status = row.get_code
        ? afd_call(socket, row.get_code, nullptr, 0, &value, sizeof(value))
        : STATUS_NOT_SUPPORTED;
    if (status == STATUS_NOT_SUPPORTED && row.stored != StoredOption::kCount) {
        value = stored_option(socket, row.stored, row.initial);
        return 0;
    }
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

static int set_value(Socket& socket, const OptionRow& row, DWORD value)
{
    if (row.stored == StoredOption::kRandomizePort
        && stored_option(socket, StoredOption::kReuseUnicastPort, 0))
        return WSAEINVAL; // such a port is random already [setsockopt/29]
    const NTSTATUS status = row.set_code
        ? afd_call(socket, row.set_code, &value, sizeof(value), nullptr, 0)
        : STATUS_NOT_SUPPORTED;
    if (status == STATUS_NOT_SUPPORTED && row.stored != StoredOption::kCount) {
        store_option(socket, row.stored, row.initial, value);
        return 0;
    }
    return NT_SUCCESS(status) ? 0 : option_error(status);
}

/// A get of a number into less than its four bytes. [getsockopt/4]
static int refuse_short_buffer(int level, OptionLength kind, OptionValue& value)
{
    constexpr DWORD kZero = 0;
    if (kind == OptionLength::kDwordOrZeros)
        guard::copy(value.buffer, &kZero, value.length);
    if (level != SOL_SOCKET)
        value.length = 0;
    return WSAEFAULT;
}

static int get_option(Socket& socket, int level, const OptionRow& row, OptionValue& value)
{
    const bool needs_all
        = row.length == OptionLength::kDword || row.length == OptionLength::kDwordOrZeros;
    if (needs_all && value.length < sizeof(DWORD))
        return refuse_short_buffer(level, row.length, value);
    if (row.get)
        return row.get(socket, value);
    if (!guard::is_writable(value.buffer, 1))
        return WSAEFAULT;
    DWORD data;
    if (const int error = get_value(socket, row, data))
        return error;
    if (level == SOL_SOCKET && row.length == OptionLength::kBoolean)
        return give_boolean(value, data);
    // A buffer shorter than the value gets its lowest byte.
    const bool whole = value.length >= sizeof(data) && row.length != OptionLength::kOneByte;
    return give_option(value, &data, whole ? sizeof(data) : 1);
}

/// Takes the number that setsockopt was given.
static int take_number(OptionLength kind, const OptionValue& value, DWORD& data)
{
    data = 0;
    const bool is_whole = value.length >= sizeof(data) && kind != OptionLength::kOneByte;
    unsigned used = is_whole ? sizeof(data) : value.length;
    switch (kind) {
    case OptionLength::kDword:
    case OptionLength::kDwordOrZeros:
        if (!is_whole)
            return WSAEFAULT;
        break;
    case OptionLength::kBoolean:
    case OptionLength::kOneByte:
        if (!is_whole)
            used = 1; // also of a length of 0
        break;
    default:
        break;
    }
    if (!guard::copy(&data, value.buffer, used))
        return WSAEFAULT;
    if (kind == OptionLength::kOctet && data > 0xFF)
        return WSAEINVAL;
    if (kind == OptionLength::kBoolean || kind == OptionLength::kOneByte)
        data = data != 0; // Any other truth reads back as 1. [setsockopt/7]
    return 0;
}

static int set_option(Socket& socket, const OptionRow& row, OptionValue& value)
{
    if (row.set)
        return row.set(socket, value);
    DWORD data;
    const int error = take_number(row.length, value, data);
    return error ? error : set_value(socket, row, data);
}

/// Can setsockopt do with this buffer and length? [setsockopt/4] [setsockopt/5]
static int check_input(int level, OptionLength kind, const void* buffer, int length)
{
    const bool is_socket_level = level == SOL_SOCKET;
    if (!buffer && kind != OptionLength::kAny)
        return WSAEFAULT;
    // Just a large buffer to the socket level, an unreasonable amount of memory to who copies it.
    if (length < 0)
        return is_socket_level && kind != OptionLength::kOneByte ? 0 : WSAENOBUFS;
    // The socket level's booleans do not mind a length of 0; the value is there.
    const bool may_be_empty
        = kind == OptionLength::kAny || (is_socket_level && kind == OptionLength::kBoolean);
    return length || may_be_empty ? 0 : WSAEFAULT;
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
    if (room < 0 && !is_open_type(level, name))
        return fail(WSAEFAULT); // [getsockopt/5]
    OptionValue value { buffer, static_cast<unsigned>(room) };
    int error = 0;
    if (is_open_type(level, name))
        error = get_open_type(value);
    else if (const OptionRow* row = find_option(*socket, level, name, Direction::kGet, error); row)
        error = get_option(*socket, level, *row, value);
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
    error = check_input(level, row->length, buffer, length);
    if (!error)
        error = set_option(*socket, *row, value);
    return error ? fail(error) : succeed();
}
