#include "transmit_request.h"

#include <utility>

#include "afd_call.h"
#include "transmit.h"

namespace ws2 {

namespace {

/// Memory with a part of a file. Owner: this, until it is released.
class FileView {
public:
    FileView() = default;
    FileView(const FileView&) = delete;
    FileView& operator=(const FileView&) = delete;
    ~FileView()
    {
        if (m_base)
            UnmapViewOfFile(m_base);
    }

    /// Maps the part that the request names, and moves the file's pointer behind it if it begins
    /// there. Errors: STATUS_INVALID_PARAMETER (nothing that can be mapped, or too much),
    /// STATUS_NO_MEMORY.
    NTSTATUS map(const afd::TransmitParams& params);
    const char* bytes() const { return m_bytes; }
    DWORD length() const { return m_length; }
    /// Where in the file the part begins.
    int64_t position() const { return m_position; }
    /// Null if nothing is mapped.
    void* release() { return std::exchange(m_base, nullptr); }

private:
    NTSTATUS map_at(HANDLE file, uint64_t position);

    void* m_base = nullptr;
    const char* m_bytes = nullptr;
    DWORD m_length = 0;
    int64_t m_position = 0;
};

NTSTATUS FileView::map(const afd::TransmitParams& params)
{
    const HANDLE file = ULongToHandle(params.file);
    const bool is_here = params.offset == afd::kCurrentPosition;
    LARGE_INTEGER size;
    LARGE_INTEGER position { .QuadPart = params.offset };
    if (!GetFileSizeEx(file, &size)
        || (is_here && !SetFilePointerEx(file, {}, &position, FILE_CURRENT)))
        return STATUS_INVALID_PARAMETER;
    const int64_t wanted
        = params.file_length ? params.file_length : size.QuadPart - position.QuadPart;
    if (wanted < 0 || wanted > kMostTransmitted)
        return STATUS_INVALID_PARAMETER; // [TransmitFile/11]
    m_length = static_cast<DWORD>(wanted);
    m_position = position.QuadPart;
    if (!m_length)
        return STATUS_SUCCESS;
    const NTSTATUS status = map_at(file, static_cast<uint64_t>(position.QuadPart));
    if (NT_SUCCESS(status) && is_here) {
        position.QuadPart += m_length;
        SetFilePointerEx(file, position, nullptr, FILE_BEGIN); // [TransmitFile/6]
    }
    return status;
}

NTSTATUS FileView::map_at(HANDLE file, uint64_t position)
{
    constexpr uint64_t kGranularity = 0x10000; // of where a view begins
    const uint64_t begin = position & ~(kGranularity - 1);
    const HANDLE mapping = CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
    if (!mapping)
        return STATUS_INVALID_PARAMETER;
    m_base = MapViewOfFile(mapping, FILE_MAP_READ, static_cast<DWORD>(begin >> 32),
        static_cast<DWORD>(begin), static_cast<SIZE_T>(position - begin + m_length));
    CloseHandle(mapping);
    if (!m_base)
        return STATUS_NO_MEMORY;
    m_bytes = static_cast<const char*>(m_base) + (position - begin);
    return STATUS_SUCCESS;
}

/// Is the file read here, and sent from memory? Where ntke has the sends of a socket that keeps
/// them in order; the host would send in between.
bool reads_file_here(Socket& socket, const afd::TransmitParams& params)
{
    return params.file
        && (socket.is_of_process() || filter::before_request(socket, afd::kIoctlTransmitView));
}

/// What is left of such a request for the host, which reads files that cannot be mapped, and has
/// the sends of sockets that ntke has given away.
bool is_for_host(const Socket& socket, NTSTATUS status)
{
    return status == STATUS_NOT_SUPPORTED && !socket.is_of_process();
}

/// Mapping has moved the file's pointer.
afd::TransmitParams at_position(const afd::TransmitParams& params, const FileView& view)
{
    afd::TransmitParams result = params;
    result.offset = view.position();
    result.file_length = view.length();
    return result;
}

afd::TransmitViewParams view_params(const afd::TransmitParams& params, const FileView& view)
{
    return { .transmit = params,
        .view = afd::ptr64(view.bytes()),
        .view_length = view.length(),
        .gives_view = 0 };
}

} // namespace

static NTSTATUS transmit_by_host(SocketRef& socket, const afd::TransmitParams& params)
{
    return afd_call_and_wait(
        socket, afd::kIoctlTransmit, &params, sizeof(params), nullptr, 0, Alertable::kYes);
}

NTSTATUS transmit_and_wait(SocketRef& socket, const afd::TransmitParams& params)
{
    if (!reads_file_here(*socket, params))
        return transmit_by_host(socket, params);
    FileView view;
    if (const NTSTATUS status = view.map(params); !NT_SUCCESS(status))
        return socket->is_of_process() ? status : transmit_by_host(socket, params);
    const afd::TransmitViewParams request = view_params(params, view);
    const NTSTATUS status = afd_call_and_wait(
        socket, afd::kIoctlTransmitView, &request, sizeof(request), nullptr, 0, Alertable::kYes);
    return is_for_host(*socket, status) ? transmit_by_host(socket, at_position(params, view))
                                        : status;
}

static NTSTATUS transmit_by_host(
    Socket& socket, const kernel::Completion& completion, const afd::TransmitParams& params)
{
    return afd_call_overlapped(
        socket, completion, afd::kIoctlTransmit, &params, sizeof(params), nullptr, 0);
}

NTSTATUS transmit_overlapped(
    Socket& socket, const kernel::Completion& completion, const afd::TransmitParams& params)
{
    if (!reads_file_here(socket, params))
        return transmit_by_host(socket, completion, params);
    FileView view;
    if (const NTSTATUS status = view.map(params); !NT_SUCCESS(status))
        return socket.is_of_process() ? status : transmit_by_host(socket, completion, params);
    afd::TransmitViewParams request = view_params(params, view);
    request.gives_view = socket.is_overlapped() && view.length(); // else it pends in the call
    const NTSTATUS status = afd_call_overlapped(
        socket, completion, afd::kIoctlTransmitView, &request, sizeof(request), nullptr, 0);
    if (status == STATUS_PENDING)
        view.release();
    return is_for_host(socket, status)
        ? transmit_by_host(socket, completion, at_position(params, view))
        : status;
}

} // namespace ws2
