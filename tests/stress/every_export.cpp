// Imports every function that ws2_32.dll of Windows exports, by our own import library: that this
// program is linked and starts is half of it, the other half that each import leads to the export
// of its name, and returns when it is called with null for everything. stress_argument_storm calls
// them with what their arguments should be, or nearly.

#define WIN32_LEAN_AND_MEAN // Winsock's own declarations would be in the way.
#include <windows.h>

#include "harness.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// What the import library calls the place where the system puts the address of a function.
#ifdef _WIN64
#define IMPORT(name) __imp_##name
#define EXPORT64 EXPORT
#else
#define IMPORT(name) _imp__##name
#define EXPORT64(ordinal, name, arguments)
#endif

extern "C" {
#define EXPORT(ordinal, name, arguments) extern void (*IMPORT(name))();
#include "common/windows_exports.def"
#undef EXPORT
}

namespace stress {

namespace {

using Function = void (*)();

template <size_t> using Null = uintptr_t;

/// The callee takes its arguments off the stack, so their number has to be exact.
template <size_t... I> void call_with(Function function, std::index_sequence<I...>)
{
    reinterpret_cast<uintptr_t(WINAPI*)(Null<I>...)>(function)(Null<I> {}...);
}

template <size_t kCount> void call_with_nulls(Function function)
{
    call_with(function, std::make_index_sequence<kCount>());
}

struct Import {
    const char* name;
    Function function;
    void (*call)(Function); // with null for every argument
};

const std::vector<Import>& imports()
{
    static const std::vector<Import> all = {
#define EXPORT(ordinal, name, arguments) { #name, IMPORT(name), call_with_nulls<arguments> },
#include "common/windows_exports.def"
#undef EXPORT
    };
    return all;
}

/// Does each import lead to its export? Wine starts programs without, and ends them at the call.
bool lead_to_exports()
{
    const HMODULE module = GetModuleHandleW(L"ws2_32.dll");
    bool all = true;
    for (const Import& import : imports()) {
        const FARPROC function = GetProcAddress(module, import.name);
        if (function
            && reinterpret_cast<void*>(function) == reinterpret_cast<void*>(import.function))
            continue;
        note(std::string(import.name) + (function ? " is another function" : " is not there"));
        all = false;
    }
    return all;
}

/// The one that is being called, for whoever tells of a crash.
const char* g_name;

LONG WINAPI report_crash(EXCEPTION_POINTERS*)
{
    note(g_name);
    die("a call with null crashes");
}

/// A call that crashes or does not return ends the program.
void call_each_with_nulls()
{
    SetUnhandledExceptionFilter(report_crash);
    // Once more, for one of them ends it.
    std::array<uint64_t, 64> data;
    const auto start_up
        = reinterpret_cast<int(WINAPI*)(WORD, void*)>(IMPORT(WSAStartup)); // with a WSADATA
    require(!start_up(MAKEWORD(2, 2), data.data()), "WSAStartup");
    for (const Import& import : imports()) {
        g_name = import.name;
        import.call(import.function);
    }
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    stress::start(argc, argv);
    stress::report(stress::lead_to_exports(), "every_import_leads_to_its_export");
    stress::call_each_with_nulls();
    stress::report(true, "each_returns_when_it_is_called_with_null");
    return stress::finish();
}
