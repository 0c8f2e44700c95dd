#include "child.h"

#include <tlhelp32.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace conformance {

namespace {

constexpr int kUnknownRole = 1;
constexpr int kNoInput = 2;
constexpr int kNotTold = 3;

bool read_input(void* data, DWORD size)
{
    const HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    for (DWORD done = 0; done < size;) {
        DWORD length = 0;
        if (!ReadFile(input, static_cast<char*>(data) + done, size - done, &length, nullptr)
            || !length)
            return false;
        done += length;
    }
    return true;
}

/// Says hello on a connected socket and waits for the answer, so that the parent knows it arrived.
int greet(SOCKET socket)
{
    char answer[2];
    const char* greeting = "hello";
    if (send(socket, greeting, 5, 0) != 5)
        return WSAGetLastError();
    DWORD limit = kHangLimit;
    setsockopt(
        socket, SOL_SOCKET, SO_RCVTIMEO, reinterpret_cast<const char*>(&limit), sizeof(limit));
    if (recv(socket, answer, sizeof(answer), 0) != sizeof(answer))
        return WSAGetLastError();
    return closesocket(socket) == 0 ? 0 : WSAGetLastError();
}

/// Opens the socket whose info comes by the input. Returns 0, or what to end with.
int open_given(SOCKET& socket)
{
    WSAPROTOCOL_INFOW info;
    if (!read_input(&info, sizeof(info)))
        return kNoInput;
    socket = WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    return socket == INVALID_SOCKET ? WSAGetLastError() : 0;
}

int open_duplicate_w()
{
    SOCKET socket;
    const int problem = open_given(socket);
    return problem ? problem : greet(socket);
}

/// Greets on the connection that comes next.
int accept_on(SOCKET listener)
{
    const SOCKET socket = accept(listener, nullptr, nullptr);
    return socket == INVALID_SOCKET ? WSAGetLastError() : greet(socket);
}

int accept_on_duplicate()
{
    SOCKET listener;
    const int problem = open_given(listener);
    return problem ? problem : accept_on(listener);
}

/// Ends with the error of a receive, where nothing comes.
int receive_on(SOCKET socket)
{
    char byte;
    return recv(socket, &byte, 1, 0) < 0 ? WSAGetLastError() : 0;
}

/// Says that it knows what the handle is, and then reads from it, with the file functions.
int read_from(SOCKET socket)
{
    const HANDLE file = reinterpret_cast<HANDLE>(socket);
    int type = 0;
    int length = sizeof(type);
    char text[4];
    DWORD moved = 0;
    if (getsockopt(socket, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &length) != 0)
        return WSAGetLastError();
    if (!WriteFile(file, "r", 1, &moved, nullptr)
        || !ReadFile(file, text, sizeof(text), &moved, nullptr))
        return static_cast<int>(GetLastError());
    return moved == sizeof(text) && !memcmp(text, "late", sizeof(text)) ? 0 : kNoInput;
}

int receive_on_duplicate()
{
    SOCKET socket;
    const int problem = open_given(socket);
    return problem ? problem : receive_on(socket);
}

/// Greets when it is told to. The process' end closes the socket.
int greet_when_told(SOCKET socket)
{
    char byte;
    if (!read_input(&byte, 1))
        return kNoInput;
    return send(socket, "hello", 5, 0) == 5 ? 0 : WSAGetLastError();
}

/// Sends back what comes, by overlapped requests whose ends a port tells, until the peer ends the
/// stream.
int echo_by_port(SOCKET socket)
{
    const HANDLE port
        = CreateIoCompletionPort(reinterpret_cast<HANDLE>(socket), nullptr, socket, 0);
    if (!port)
        return static_cast<int>(GetLastError());
    for (;;) {
        char byte;
        WSABUF buffer = { 1, &byte };
        WSAOVERLAPPED request {};
        DWORD flags = 0;
        DWORD moved = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* ended = nullptr;
        if (WSARecv(socket, &buffer, 1, nullptr, &flags, &request, nullptr) != 0
            && WSAGetLastError() != WSA_IO_PENDING)
            return WSAGetLastError();
        if (!GetQueuedCompletionStatus(port, &moved, &key, &ended, kHangLimit) || key != socket)
            return kNotTold;
        if (!moved)
            return closesocket(socket) == 0 ? 0 : WSAGetLastError();
        if (send(socket, &byte, 1, 0) != 1)
            return WSAGetLastError();
    }
}

int open_duplicate_a()
{
    WSAPROTOCOL_INFOA info;
    if (!read_input(&info, sizeof(info)))
        return kNoInput;
    const SOCKET socket = WSASocketA(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    return socket == INVALID_SOCKET ? WSAGetLastError() : greet(socket);
}

/// Ends what the given socket sends, and receives up to the peer's end.
int end_on_duplicate()
{
    SOCKET socket;
    if (const int problem = open_given(socket))
        return problem;
    if (shutdown(socket, SD_SEND) != 0)
        return WSAGetLastError();
    char byte;
    if (!read_input(&byte, 1))
        return kNoInput;
    int received;
    do {
        received = recv(socket, &byte, 1, 0);
    } while (received > 0);
    return received == 0 ? 0 : WSAGetLastError();
}

/// Sends back what comes, told of it by events, until the peer ends the stream; from the start and
/// after the parent has closed its own handle.
int echo_on_duplicate()
{
    SOCKET socket;
    char byte;
    if (const int problem = open_given(socket))
        return problem;
    const WSAEVENT event = WSACreateEvent();
    for (;;) {
        if (WSAEventSelect(socket, event, FD_READ | FD_CLOSE) != 0)
            return WSAGetLastError();
        if (WSAWaitForMultipleEvents(1, &event, FALSE, kHangLimit, FALSE) != WSA_WAIT_EVENT_0)
            return kNotTold;
        WSANETWORKEVENTS events;
        if (WSAEnumNetworkEvents(socket, event, &events) != 0)
            return WSAGetLastError();
        int received;
        while ((received = recv(socket, &byte, 1, 0)) == 1) {
            if (send(socket, &byte, 1, 0) != 1)
                return WSAGetLastError();
        }
        if (received == 0)
            return closesocket(socket) == 0 ? 0 : WSAGetLastError();
        if (WSAGetLastError() != WSAEWOULDBLOCK)
            return WSAGetLastError();
    }
}

/// Greets on a socket whose handle comes by the input.
int use_handle()
{
    HANDLE handle;
    if (!read_input(&handle, sizeof(handle)))
        return kNoInput;
    return greet(reinterpret_cast<SOCKET>(handle));
}

/// Posts packets with keys that count up, until it is told of none.
int post_to_ports()
{
    for (;;) {
        ChildsPort given;
        if (!read_input(&given, sizeof(given)))
            return kNoInput;
        if (!given.count)
            return 0;
        for (ULONG_PTR key = given.first_key; key < given.first_key + given.count; ++key) {
            if (!PostQueuedCompletionStatus(given.port, 0, key, reinterpret_cast<OVERLAPPED*>(key)))
                return static_cast<int>(GetLastError());
        }
    }
}

/// Takes packets; their keys must count up.
int take_from_port()
{
    ChildsPort given;
    if (!read_input(&given, sizeof(given)))
        return kNoInput;
    for (ULONG_PTR expected = given.first_key; expected < given.first_key + given.count;
         ++expected) {
        DWORD transferred;
        ULONG_PTR key;
        OVERLAPPED* overlapped = nullptr;
        if (!GetQueuedCompletionStatus(given.port, &transferred, &key, &overlapped, kHangLimit))
            return static_cast<int>(GetLastError());
        if (key != expected)
            return kNotTold;
    }
    return 0;
}

/// Ends its only thread, with a socket whose events are watched.
int end_thread()
{
    const SOCKET socket = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0
        || WSAEventSelect(socket, WSACreateEvent(), FD_READ) != 0)
        return WSAGetLastError();
    ExitThread(kThreadsCode);
}

/// Terminates every other thread of the process, whoever made it.
void terminate_other_threads()
{
    const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 entry {};
    entry.dwSize = sizeof(entry);
    for (BOOL found = Thread32First(snapshot, &entry); found;
         found = Thread32Next(snapshot, &entry)) {
        if (entry.th32OwnerProcessID != GetCurrentProcessId()
            || entry.th32ThreadID == GetCurrentThreadId())
            continue;
        const HANDLE thread = OpenThread(THREAD_TERMINATE | SYNCHRONIZE, FALSE, entry.th32ThreadID);
        if (thread && TerminateThread(thread, 0))
            WaitForSingleObject(thread, kHangLimit);
        CloseHandle(thread);
    }
    CloseHandle(snapshot);
}

/// Is told of a datagram before and after every other thread was terminated.
int be_told_alone()
{
    const WSAEVENT event = WSACreateEvent();
    const SOCKET socket = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int length = sizeof(address);
    auto* name = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket, name, length) != 0 || getsockname(socket, name, &length) != 0
        || WSAEventSelect(socket, event, FD_READ) != 0)
        return WSAGetLastError();
    for (int round = 0; round < 3; ++round) {
        char byte = 'x';
        if (sendto(socket, &byte, 1, 0, name, length) != 1)
            return WSAGetLastError();
        if (WSAWaitForMultipleEvents(1, &event, FALSE, kHangLimit, FALSE) != WSA_WAIT_EVENT_0)
            return kNotTold;
        WSANETWORKEVENTS events;
        if (WSAEnumNetworkEvents(socket, event, &events) != 0 || recv(socket, &byte, 1, 0) != 1)
            return WSAGetLastError();
        terminate_other_threads();
    }
    return 0;
}

/// Ends when its input ends: a process whose handle values the parent can ask about.
int wait_for_end_of_input()
{
    char byte;
    return read_input(&byte, 1) ? 0 : kNoInput;
}

/// Has a socket of its own receive, on a port that it is given.
int receive_on_port()
{
    ChildsPort given;
    if (!read_input(&given, sizeof(given)))
        return kNoInput;
    const SOCKET socket = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    sockaddr_in address {};
    int length = sizeof(address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto name = reinterpret_cast<sockaddr*>(&address);
    static char data[8];
    static WSAOVERLAPPED overlapped;
    WSABUF buffer = { sizeof(data), data };
    DWORD flags = 0;
    const auto file = reinterpret_cast<HANDLE>(socket);
    if (bind(socket, name, length) || getsockname(socket, name, &length)
        || !CreateIoCompletionPort(file, given.port, given.first_key, 0))
        return static_cast<int>(GetLastError());
    if (WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr) != SOCKET_ERROR
        || WSAGetLastError() != WSA_IO_PENDING || sendto(socket, "x", 1, 0, name, length) != 1)
        return kNotTold;
    return wait_for_end_of_input();
}

} // namespace

Child start_child(const char* role, unsigned long long argument, bool inherit, Where where)
{
    SECURITY_ATTRIBUTES inheritable = { sizeof(inheritable), nullptr, TRUE };
    HANDLE read_end = nullptr;
    HANDLE write_end = nullptr;
    if (!CreatePipe(&read_end, &write_end, &inheritable, 0))
        fail_at(where, "CreatePipe failed with %lu", GetLastError());
    SetHandleInformation(write_end, HANDLE_FLAG_INHERIT, 0);

    wchar_t path[MAX_PATH];
    wchar_t command[MAX_PATH + 100];
    GetModuleFileNameW(nullptr, path, MAX_PATH);
    swprintf(command, MAX_PATH + 100, L"\"%ls\" --child %hs %llu", path, role, argument);

    // The list keeps the child of a case that passes nothing on from holding other cases' sockets.
    char list_memory[256];
    SIZE_T list_size = sizeof(list_memory);
    auto* list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(list_memory);
    STARTUPINFOEXW startup = {};
    startup.StartupInfo.cb = inherit ? sizeof(startup.StartupInfo) : sizeof(startup);
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = read_end;
    startup.StartupInfo.hStdOutput = INVALID_HANDLE_VALUE;
    startup.StartupInfo.hStdError = INVALID_HANDLE_VALUE;
    if (!inherit) {
        if (!InitializeProcThreadAttributeList(list, 1, 0, &list_size)
            || !UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &read_end,
                sizeof(read_end), nullptr, nullptr))
            fail_at(where, "the handle list failed with %lu", GetLastError());
        startup.lpAttributeList = list;
    }

    PROCESS_INFORMATION process = {};
    const BOOL started = CreateProcessW(path, command, nullptr, nullptr, TRUE,
        inherit ? 0 : EXTENDED_STARTUPINFO_PRESENT, nullptr, nullptr, &startup.StartupInfo,
        &process);
    const DWORD error = GetLastError();
    CloseHandle(read_end);
    owned(write_end);
    if (!started)
        fail_at(where, "CreateProcess failed with %lu", error);
    CloseHandle(process.hThread);
    return { owned(process.hProcess), process.dwProcessId, write_end };
}

void write_to_child(const Child& child, const void* data, size_t size, Where where)
{
    DWORD written = 0;
    if (!WriteFile(child.input, data, static_cast<DWORD>(size), &written, nullptr)
        || written != size)
        fail_at(where, "writing to the child failed with %lu", GetLastError());
}

Child give_to_child(SOCKET socket, const char* role, Where where)
{
    const Child child = start_child(role, 0, false, where);
    WSAPROTOCOL_INFOW info;
    if (WSADuplicateSocketW(socket, child.process_id, &info))
        fail_at(where, "WSADuplicateSocketW failed with %d", WSAGetLastError());
    write_to_child(child, &info, sizeof(info), where);
    return child;
}

HANDLE handle_for_child(const Child& child, HANDLE handle, Where where)
{
    HANDLE given = nullptr;
    if (!DuplicateHandle(
            GetCurrentProcess(), handle, child.process, &given, 0, FALSE, DUPLICATE_SAME_ACCESS))
        fail_at(where, "DuplicateHandle failed with %lu", GetLastError());
    return given;
}

DWORD exit_code_of(const Child& child, Where where)
{
    DWORD code = 0;
    if (WaitForSingleObject(child.process, kHangLimit) != WAIT_OBJECT_0) {
        TerminateProcess(child.process, 3);
        fail_at(where, "the child did not end");
    }
    GetExitCodeProcess(child.process, &code);
    return code;
}

int child_main(const char* role, const char* argument)
{
    WSADATA data;
    if (const int error = WSAStartup(MAKEWORD(2, 2), &data))
        return error;
    if (!strcmp(role, "open-duplicate-w"))
        return open_duplicate_w();
    if (!strcmp(role, "open-duplicate-a"))
        return open_duplicate_a();
    if (!strcmp(role, "accept-on-duplicate"))
        return accept_on_duplicate();
    if (!strcmp(role, "receive-on-duplicate"))
        return receive_on_duplicate();
    if (!strcmp(role, "echo-on-duplicate"))
        return echo_on_duplicate();
    if (!strcmp(role, "end-on-duplicate"))
        return end_on_duplicate();
    const auto inherited = static_cast<SOCKET>(strtoull(argument, nullptr, 10));
    if (!strcmp(role, "use-inherited"))
        return greet(inherited);
    if (!strcmp(role, "greet-when-told"))
        return greet_when_told(inherited);
    if (!strcmp(role, "echo-by-port"))
        return echo_by_port(inherited);
    if (!strcmp(role, "read-inherited"))
        return read_from(inherited);
    if (!strcmp(role, "receive-on-inherited"))
        return receive_on(inherited);
    if (!strcmp(role, "accept-on-inherited"))
        return accept_on(inherited);
    if (!strcmp(role, "use-handle"))
        return use_handle();
    if (!strcmp(role, "post-to-ports"))
        return post_to_ports();
    if (!strcmp(role, "take-from-port"))
        return take_from_port();
    if (!strcmp(role, "receive-on-port"))
        return receive_on_port();
    if (!strcmp(role, "end-thread"))
        return end_thread();
    if (!strcmp(role, "be-told-alone"))
        return be_told_alone();
    if (!strcmp(role, "wait"))
        return wait_for_end_of_input();
    return kUnknownRole;
}

} // namespace conformance
