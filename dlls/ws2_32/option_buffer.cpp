// SO_SNDBUF and SO_RCVBUF.
#include "option_special.h"

#include <algorithm>

#include "afd_call.h"

namespace ws2::option {

/// What a stream's buffer has on the host at least, in bytes. To Windows the sizes are a hint: with
/// none the data waits in the sender's memory and flows all the same. To Linux they bound the
/// window, and a small one stops the stream after every packet. [setsockopt/23]
constexpr DWORD kLeastHostSize = 0x10000;

struct BufferOption {
    StoredOption stored; // the size the application has set, while the host's is another
    ULONG get_code;
    ULONG set_code;
};

constexpr BufferOption kSendBuffer
    = { StoredOption::kSendBuffer, afd::kIoctlGetSoSndBuf, afd::kIoctlSetSoSndBuf };
constexpr BufferOption kReceiveBuffer
    = { StoredOption::kReceiveBuffer, afd::kIoctlGetSoRcvBuf, afd::kIoctlSetSoRcvBuf };

constexpr DWORD kNotSet = 0xFFFFFFFF;

static int get_buffer(Socket& socket, const BufferOption& option, OptionValue& value)
{
    DWORD size = 0;
    const NTSTATUS status = afd_call(socket, option.get_code, nullptr, 0, &size, sizeof(size));
    if (!NT_SUCCESS(status))
        return option_error(status);
    // Another process that shares the socket may have set another size meanwhile.
    const DWORD set = stored_option(socket, option.stored, kNotSet);
    if (size == std::max(set, kLeastHostSize))
        size = set;
    return give_option(value, &size, sizeof(size));
}

static int set_buffer(Socket& socket, const BufferOption& option, OptionValue& value)
{
    DWORD size;
    if (const int error = take_option(value, &size, sizeof(size)))
        return error;
    const DWORD host_size = socket.is_stream() ? std::max(size, kLeastHostSize) : size;
    const NTSTATUS status
        = afd_call(socket, option.set_code, &host_size, sizeof(host_size), nullptr, 0);
    if (!NT_SUCCESS(status))
        return option_error(status);
    store_option(socket, option.stored, kNotSet, size);
    return 0;
}

int get_send_buffer(Socket& socket, OptionValue& value)
{
    return get_buffer(socket, kSendBuffer, value);
}

int set_send_buffer(Socket& socket, OptionValue& value)
{
    return set_buffer(socket, kSendBuffer, value);
}

int get_receive_buffer(Socket& socket, OptionValue& value)
{
    return get_buffer(socket, kReceiveBuffer, value);
}

int set_receive_buffer(Socket& socket, OptionValue& value)
{
    return set_buffer(socket, kReceiveBuffer, value);
}

} // namespace ws2::option
