#include "platform.h"

#include <cstdio>
#include <type_traits>

namespace nt_suite {

namespace {

struct Start {
    void (*run)(void*);
    void* argument;
};

decltype(&WSAEventSelect) event_select = nullptr; // null: events are not shown
SOCKET any_socket = INVALID_SOCKET;

DWORD WINAPI thread_main(void* argument)
{
    const Start start = *static_cast<Start*>(argument);
    delete static_cast<Start*>(argument);
    start.run(start.argument);
    return 0;
}

} // namespace

void* start_thread(void (*run)(void* argument), void* argument)
{
    return CreateThread(nullptr, 0, thread_main, new Start { run, argument }, 0, nullptr);
}

bool join_thread(void* thread)
{
    const bool has_ended = WaitForSingleObject(thread, 30000) == WAIT_OBJECT_0;
    CloseHandle(thread);
    return has_ended;
}

void pause_briefly()
{
    Sleep(1);
}

uint64_t milliseconds()
{
    return GetTickCount64();
}

NTSTATUS set_file_information(HANDLE file, ULONG info_class, void* info, ULONG length)
{
    IO_STATUS_BLOCK iosb {};
    return NtSetInformationFile(
        file, &iosb, info, length, static_cast<FILE_INFORMATION_CLASS>(info_class));
}

const char* describe_system()
{
    static char description[128];
    using GetVersion = const char*(__cdecl*)();
    const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    const auto wine_version = reinterpret_cast<GetVersion>(
        reinterpret_cast<void*>(GetProcAddress(ntdll, "wine_get_version")));
    snprintf(description, sizeof(description), "ntdll of %s%s", wine_version ? "Wine " : "Windows",
        wine_version ? wine_version() : "");
    return description;
}

bool begin_showing_to_winsock()
{
    const HMODULE library = LoadLibraryW(L"ws2_32.dll");
    const auto find = [=](auto& function, const char* name) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
            reinterpret_cast<void*>(GetProcAddress(library, name)));
        return function != nullptr;
    };
    decltype(&WSAStartup) startup = nullptr;
    decltype(&WSASocketW) open = nullptr;
    decltype(&::bind) bind = nullptr;
    decltype(&::getsockname) name_of = nullptr;
    decltype(&::sendto) send_to = nullptr;
    WSADATA data;
    if (!find(startup, "WSAStartup") || !find(open, "WSASocketW") || !find(bind, "bind")
        || !find(name_of, "getsockname") || !find(send_to, "sendto")
        || !find(event_select, "WSAEventSelect") || startup(MAKEWORD(2, 2), &data) != 0)
        return false;
    any_socket = open(AF_INET, SOCK_DGRAM, 0, nullptr, 0, 0);

    // One event comes, so that whatever Winsock begins with the first does not begin during a case.
    constexpr DWORD kHangLimit = 30000; // ms
    sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_addr.S_un.S_un_b = { 127, 0, 0, 1 };
    auto* name = reinterpret_cast<sockaddr*>(&address);
    int length = sizeof(address);
    const HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    const bool came = bind(any_socket, name, length) == 0
        && event_select(any_socket, event, FD_READ) == 0 && name_of(any_socket, name, &length) == 0
        && send_to(any_socket, "x", 1, 0, name, length) == 1
        && WaitForSingleObject(event, kHangLimit) == WAIT_OBJECT_0;
    event_select(any_socket, nullptr, 0);
    CloseHandle(event);
    return came;
}

void show_to_winsock(HANDLE event)
{
    if (!event_select)
        return;
    event_select(any_socket, event, FD_ACCEPT); // no datagram socket sets it
    event_select(any_socket, nullptr, 0);
}

int64_t leaked_objects()
{
    return 0;
}

} // namespace nt_suite
