// Socket options: what there is, on which sockets, and who keeps the value.
#pragma once

#include "option_store.h"
#include "socket.h"

namespace ws2 {

/// The sockets that have an option.
enum SocketKinds : unsigned char {
    kStreamSockets = 1,
    kDatagramSockets = 2,
    kRawSockets = 4,
    kMessageSockets = kDatagramSockets | kRawSockets,
    kAllSockets = 7,
};

/// How long the value of an option is. [getsockopt/4] [setsockopt/4]
enum class OptionLength : unsigned char {
    kBoolean, // 4 bytes; shorter ones carry the first byte
    kOneByte, // 1 byte, of longer ones the first
    kInteger, // 4 bytes; shorter ones carry the low bytes
    kOctet, // the same, up to 255
    kDword, // 4 bytes, nothing less
    kDwordOrZeros, // the same, and a shorter buffer is cleared
    kAny, // any number of bytes, or none and no buffer
    kOwn, // the row's functions know
};

/// The value of a get or set call, between the application's buffer and the row's function.
/// `length` is the buffer's on the way in and what was used of it on the way out.
struct OptionValue {
    void* buffer; // of the application: access it through guard
    unsigned length; // bytes
};

/// Reads or writes one option of `socket`. Returns 0 or the Winsock error.
using OptionFunction = int(Socket& socket, OptionValue& value);

/// One option. It is kept by the device (`get_code`, `set_code`), by the DLL (`stored`, `initial`),
/// by the DLL where the device does not know it (all four), or behind functions of its own. What a
/// row leaves out of the two directions does not exist: WSAENOPROTOOPT.
struct OptionRow {
    int name;
    SocketKinds kinds;
    OptionLength length;
    ULONG get_code; // or 0
    ULONG set_code; // or 0
    OptionFunction* get; // or null
    OptionFunction* set; // or null
    StoredOption stored; // or kCount
    DWORD initial;
};

enum class Direction : bool { kGet, kSet };

/// Does the option exist in this direction?
inline bool has_direction(const OptionRow& row, Direction direction)
{
    if (row.stored != StoredOption::kCount)
        return true;
    return direction == Direction::kGet ? row.get || row.get_code : row.set || row.set_code;
}

/// Finds the row of an option in a direction. On failure null and the Winsock error: WSAEINVAL for
/// a level the socket does not have, WSAENOPROTOOPT for an option nobody knows or (SOL_SOCKET,
/// IPPROTO_TCP) this kind of socket does not have, WSAEINVAL for an IP option it does not have.
const OptionRow* find_option(
    const Socket& socket, int level, int name, Direction direction, int& error);

/// Value of a stored option.
DWORD stored_option(Socket& socket, StoredOption option, DWORD initial);
void store_option(Socket& socket, StoredOption option, DWORD initial, DWORD value);

/// Gives a value of `size` bytes back to the application: WSAEFAULT when the buffer is shorter,
/// whose length then stays as it is.
int give_option(OptionValue& value, const void* data, unsigned size);

/// Gives a boolean of SOL_SOCKET, as much of it as fits. [getsockopt/4]
int give_boolean(OptionValue& value, DWORD data);

/// Takes a value of `size` bytes: WSAEFAULT when the application's is shorter.
int take_option(OptionValue& value, void* data, unsigned size);

/// The Winsock error of an option request: like error_from_status, but what the device does not
/// know is WSAENOPROTOOPT.
int option_error(NTSTATUS status);

} // namespace ws2
