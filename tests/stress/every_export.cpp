// Imports every function that ws2_32.dll of Windows exports, by our own import library: that this
// program is linked and starts is half of it, the other half that each import leads to the export
// of its name. stress_argument_storm calls them.

#define WIN32_LEAN_AND_MEAN // Winsock's own declarations would be in the way.
#include <windows.h>

#include "harness.h"

#include <string>

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

struct Import {
    const char* name;
    void (*function)();
};

/// Does each import lead to its export? Wine starts programs without, and ends them at the call.
bool lead_to_exports()
{
    const Import imports[] = {
#define EXPORT(ordinal, name, arguments) { #name, IMPORT(name) },
#include "common/windows_exports.def"
#undef EXPORT
    };
    const HMODULE module = GetModuleHandleW(L"ws2_32.dll");
    bool all = true;
    for (const Import& import : imports) {
        const FARPROC function = GetProcAddress(module, import.name);
        if (function
            && reinterpret_cast<void*>(function) == reinterpret_cast<void*>(import.function))
            continue;
        note(std::string(import.name) + (function ? " is another function" : " is not there"));
        all = false;
    }
    return all;
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    stress::start(argc, argv);
    stress::report(stress::lead_to_exports(), "every_import_leads_to_its_export");
    return stress::finish();
}
