#include "platform.h"

#include <cstdio>

namespace nt_suite {

namespace {

struct Start {
    void (*run)(void*);
    void* argument;
};

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

int64_t leaked_objects()
{
    return 0;
}

} // namespace nt_suite
