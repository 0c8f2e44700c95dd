// Imports every function that ws2_32.dll of Windows exports, by our own import library: that this
// program starts is its first case. Then it calls each of them with nothing, with memory, with a
// socket and with bad pointers: none may crash, hang or end the process.

#define WIN32_LEAN_AND_MEAN // Winsock's own declarations would be in the way.
#include <windows.h>

#include "harness.h"

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

extern "C" {
#define EXPORT(ordinal, name, arguments) void name();
#ifdef _WIN64
#define EXPORT64 EXPORT
#else
#define EXPORT64(ordinal, name, arguments)
#endif
#include "common/windows_exports.h"
#undef EXPORT
}

namespace stress {

namespace {

struct Import {
    const char* name;
    void (*function)();
    unsigned arguments;
};

constexpr Import kImports[] = {
#define EXPORT(ordinal, name, arguments) { #name, name, arguments },
#include "common/windows_exports.h"
#undef EXPORT
};

constexpr unsigned kMaxArguments = 12;
using Arguments = std::array<void*, kMaxArguments>;

/// Calls a function of as many arguments as there are indices.
template <size_t... kIndices>
void call_with(void (*function)(), const Arguments& arguments, std::index_sequence<kIndices...>)
{
    using Function = void*(__stdcall*)(decltype((void)kIndices, static_cast<void*>(nullptr))...);
    reinterpret_cast<Function>(function)(arguments[kIndices]...);
}

template <size_t kCount> void call_with_count(void (*function)(), const Arguments& arguments)
{
    call_with(function, arguments, std::make_index_sequence<kCount>());
}

template <size_t... kCounts> constexpr auto callers_of_counts(std::index_sequence<kCounts...>)
{
    return std::array { call_with_count<kCounts>... };
}

void call(const Import& import, const Arguments& arguments)
{
    static constexpr auto kCallers
        = callers_of_counts(std::make_index_sequence<kMaxArguments + 1>());
    kCallers[import.arguments](import.function, arguments);
}

/// What all arguments of a call point to. Zeros at its beginning, and the system may write to it
/// after the call.
alignas(64) char g_memory[64 * 1024];

/// Points to nothing.
void* const kBadPointer = reinterpret_cast<void*>(0x10);

/// Does the function read what it is given as the program's own code would, so that a bad pointer
/// is a fault of the program's?
bool reads_unchecked(std::string_view name)
{
    return name == "__WSAFDIsSet" || name == "inet_addr";
}

/// Does the function free what it is given? Then that must be null or of its own making.
bool takes_ownership(std::string_view name)
{
    return name == "freeaddrinfo" || name.starts_with("FreeAddrInfo");
}

/// The number of the argument that would be called; kMaxArguments where none would. (Others take a
/// function, too, and refuse the rest before they call it.)
unsigned routine_of(std::string_view name)
{
    return name == "GetAddrInfoExW" ? 8 : kMaxArguments;
}

/// Calls a function; Winsock is started before, whatever the last one did.
void call_started(const Import& import, const Arguments& arguments, Activity& activity)
{
    char data[1024];
    activity.doing(import.name);
    reinterpret_cast<int(__stdcall*)(WORD, void*)>(WSAStartup)(MAKEWORD(2, 2), data);
    call(import, arguments);
}

/// Every argument is `argument`, but for the first one where `first` makes one for each call.
void call_each_with(void* argument, void* (*first)(), Activity& activity)
{
    for (const Import& import : kImports) {
        if ((argument || first) && takes_ownership(import.name))
            continue;
        // A socket is a bad pointer to whoever takes none.
        if ((argument != g_memory || first) && reads_unchecked(import.name))
            continue;
        std::memset(g_memory, 0, sizeof(g_memory));
        Arguments arguments;
        arguments.fill(argument);
        if (const unsigned routine = routine_of(import.name); routine < arguments.size())
            arguments[routine] = nullptr;
        if (first)
            arguments[0] = first();
        call_started(import, arguments, activity);
    }
}

/// A stream socket of its own for each call, which may close it.
void* new_stream_socket()
{
    constexpr int kInternet = 2;
    constexpr int kStream = 1;
    return reinterpret_cast<void*(__stdcall*)(int, int, int)>(socket)(kInternet, kStream, 0);
}

/// Is there an export for each import? Wine starts programs without, and ends them at the call.
bool are_there()
{
    const HMODULE module = GetModuleHandleW(L"ws2_32.dll");
    bool all = true;
    for (const Import& import : kImports) {
        if (GetProcAddress(module, import.name))
            continue;
        note(std::string("there is no ") + import.name);
        all = false;
    }
    return all;
}

LONG WINAPI die_of_exception(EXCEPTION_POINTERS*)
{
    die("a call raised an exception");
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    stress::start(argc, argv);
    SetUnhandledExceptionFilter(stress::die_of_exception);
    stress::Activity activity("main");
    stress::report(stress::are_there(), "every_import_is_there");
    stress::call_each_with(nullptr, nullptr, activity);
    stress::report(true, "every_call_with_nothing_returns");
    stress::call_each_with(stress::g_memory, nullptr, activity);
    stress::report(true, "every_call_with_memory_returns");
    stress::call_each_with(stress::g_memory, stress::new_stream_socket, activity);
    stress::report(true, "every_call_with_a_socket_and_memory_returns");
    stress::call_each_with(stress::kBadPointer, stress::new_stream_socket, activity);
    stress::report(true, "every_call_with_a_socket_and_bad_pointers_returns");
    return stress::finish();
}
