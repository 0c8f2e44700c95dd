#include "ports.h"

#include <cstdio>
#include <cstring>

namespace conformance {

namespace {

/// The key that ends a consumer.
constexpr ULONG_PTR kStop = 0x7e570;

long long consume(Consumers* consumers)
{
    for (;;) {
        const Packet packet = take_packet(consumers->port);
        if (!packet.overlapped && (!packet.result || packet.key == kStop))
            return packet.result ? 0 : packet.error;
        const LONG index = consumers->begun++;
        if (index < Consumers::kMost)
            consumers->packets[index] = packet;
        consumers->taken++;
    }
}

} // namespace

HANDLE copy_of(HANDLE handle, Where where)
{
    const HANDLE process = GetCurrentProcess();
    HANDLE copy = nullptr;
    if (!DuplicateHandle(process, handle, process, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        fail_at(where, "DuplicateHandle failed with %lu", GetLastError());
    return owned(copy);
}

HANDLE new_port(Where where)
{
    const HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
    if (!port)
        fail_at(where, "CreateIoCompletionPort failed with %lu", GetLastError());
    return owned(port);
}

void associate(HANDLE file, HANDLE port, ULONG_PTR key, Where where)
{
    if (CreateIoCompletionPort(file, port, key, 0) != port)
        fail_at(where, "the file could not be associated: error %lu", GetLastError());
}

void associate(SOCKET socket, HANDLE port, ULONG_PTR key, Where where)
{
    associate(as_handle(socket), port, key, where);
}

void set_modes(SOCKET socket, UCHAR modes, Where where)
{
    if (!SetFileCompletionNotificationModes(as_handle(socket), modes))
        fail_at(where, "the modes were refused: error %lu", GetLastError());
}

int start_receive(SOCKET socket, Operation* operation, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return WSARecv(
        socket, &operation->buffer, 1, nullptr, &operation->flags, &operation->overlapped, routine);
}

Operation* pending_receive(SOCKET socket, WSAEVENT event, Where where)
{
    Operation* operation = new_operation(event);
    if (start_receive(socket, operation) != SOCKET_ERROR || WSAGetLastError() != WSA_IO_PENDING)
        fail_at(where, "the receive did not pend");
    return operation;
}

Operation* start_send(SOCKET socket, const char* text, Where where)
{
    Operation* operation = new_operation();
    operation->buffer.len = static_cast<ULONG>(strlen(text));
    memcpy(operation->data, text, operation->buffer.len);
    if (WSASend(socket, &operation->buffer, 1, nullptr, 0, &operation->overlapped, nullptr) != 0
        && WSAGetLastError() != WSA_IO_PENDING)
        fail_at(where, "WSASend failed with %d", WSAGetLastError());
    return operation;
}

PortPair new_port_pair(Where where)
{
    PortPair result { new_tcp_pair(AF_INET, where), new_port(where) };
    associate(result.pair.server, result.port, kPortKey, where);
    return result;
}

void post(HANDLE port, ULONG_PTR key, OVERLAPPED* overlapped, DWORD transferred, Where where)
{
    if (!PostQueuedCompletionStatus(port, transferred, key, overlapped))
        fail_at(where, "PostQueuedCompletionStatus failed with %lu", GetLastError());
}

Packet take_packet(HANDLE port, DWORD timeout)
{
    Packet packet = { FALSE, 0, 0xdeadbeef, 0xdeadbeef, nullptr };
    SetLastError(kPoison);
    packet.result = GetQueuedCompletionStatus(
        port, &packet.transferred, &packet.key, &packet.overlapped, timeout);
    packet.error = GetLastError();
    return packet;
}

Packet next_packet(HANDLE port, Where where)
{
    const Packet packet = take_packet(port);
    if (!packet.overlapped)
        fail_at(where, "no packet came: error %lu", packet.error);
    return packet;
}

void assert_no_packet(HANDLE port, Where where)
{
    let_it_settle();
    const Packet packet = take_packet(port, 0);
    if (packet.overlapped)
        fail_at(where, "an unexpected packet with error %lu came", packet.error);
}

Consumers* start_consumers(HANDLE port, int number, Where where)
{
    auto* consumers = lasting<Consumers>();
    consumers->port = port;
    consumers->number = number;
    for (int i = 0; i < number; ++i)
        consumers->threads[i] = run_in_background([=] { return consume(consumers); }, where);
    let_it_settle();
    return consumers;
}

void await_packets(const Consumers* consumers, LONG count, Where where)
{
    const ULONGLONG start = GetTickCount64();
    while (consumers->taken < count) {
        if (GetTickCount64() - start > kEventLimit)
            fail_at(where, "%ld of %ld packets came", consumers->taken.load(), count);
        Sleep(1);
    }
}

void stop_consumers(Consumers* consumers, LONG count, Where where)
{
    await_packets(consumers, count, where);
    let_it_settle();
    for (int i = 0; i < consumers->number; ++i)
        post(consumers->port, kStop, nullptr, 0, where);
    for (int i = 0; i < consumers->number; ++i) {
        const Outcome outcome = join(consumers->threads[i], where);
        if (outcome.value != 0)
            fail_at(where, "a consumer failed with %lld", outcome.value);
    }
    if (consumers->taken != count)
        fail_at(where, "%ld packets came, not %ld", consumers->taken.load(), count);
}

Packet only_packet_of(const Consumers* consumers, const OVERLAPPED* overlapped, Where where)
{
    Packet found = {};
    LONG count = 0;
    for (LONG i = 0; i < consumers->begun && i < Consumers::kMost; ++i) {
        if (consumers->packets[i].overlapped != overlapped)
            continue;
        found = consumers->packets[i];
        ++count;
    }
    if (count != 1)
        fail_at(where, "%ld packets came for one operation", count);
    return found;
}

HANDLE new_pipe_server(char* name, Where where)
{
    static LONG number;
    snprintf(name, 64, "\\\\.\\pipe\\conformance-%lu-%ld", GetCurrentProcessId(), ++number);
    const HANDLE server = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
        PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096, 4096, 0, nullptr);
    if (server == INVALID_HANDLE_VALUE)
        fail_at(where, "CreateNamedPipe failed with %lu", GetLastError());
    return owned(server);
}

HANDLE connect_to_pipe(const char* name, Where where)
{
    const HANDLE client = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
        FILE_FLAG_OVERLAPPED, nullptr);
    if (client == INVALID_HANDLE_VALUE)
        fail_at(where, "the pipe could not be opened: error %lu", GetLastError());
    return owned(client);
}

Pipe new_pipe(Where where)
{
    char name[64];
    Pipe pipe;
    pipe.server = new_pipe_server(name, where);
    pipe.client = connect_to_pipe(name, where);
    return pipe;
}

void start_read(HANDLE file, Operation* operation, Where where)
{
    if (!ReadFile(file, operation->data, sizeof(operation->data), nullptr, &operation->overlapped)
        && GetLastError() != ERROR_IO_PENDING)
        fail_at(where, "ReadFile failed with %lu", GetLastError());
}

Operation* start_write(HANDLE file, const char* text, Where where)
{
    Operation* operation = new_operation();
    const DWORD length = static_cast<DWORD>(strlen(text));
    memcpy(operation->data, text, length);
    if (!WriteFile(file, operation->data, length, nullptr, &operation->overlapped)
        && GetLastError() != ERROR_IO_PENDING)
        fail_at(where, "WriteFile failed with %lu", GetLastError());
    return operation;
}

HANDLE new_file(const char* text, bool overlapped, Where where)
{
    wchar_t folder[MAX_PATH], path[MAX_PATH];
    const DWORD length = static_cast<DWORD>(strlen(text));
    auto* operation = lasting<OVERLAPPED>();
    DWORD written = 0;
    GetTempPathW(MAX_PATH, folder);
    GetTempFileNameW(folder, L"ws2", 0, path);
    const HANDLE file
        = CreateFileW(path, GENERIC_READ | GENERIC_WRITE | DELETE, 0, nullptr, CREATE_ALWAYS,
            FILE_FLAG_DELETE_ON_CLOSE | (overlapped ? FILE_FLAG_OVERLAPPED : 0), nullptr);
    if (file == INVALID_HANDLE_VALUE)
        fail_at(where, "the file could not be made: error %lu", GetLastError());
    owned(file);
    if (!WriteFile(file, text, length, nullptr, operation) && GetLastError() != ERROR_IO_PENDING)
        fail_at(where, "the file could not be written: error %lu", GetLastError());
    if (!GetOverlappedResult(file, operation, &written, TRUE) || written != length)
        fail_at(where, "the file was not written whole: error %lu", GetLastError());
    if (!overlapped)
        SetFilePointer(file, 0, nullptr, FILE_BEGIN);
    return file;
}

} // namespace conformance
