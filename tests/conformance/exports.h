// Functions of ws2_32.dll that not every system has: looked up by name, for a program that imports
// them would not start there.
#pragma once

#include "harness.h"

namespace conformance {

inline void* find_export(const char* name)
{
    return reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"ws2_32.dll"), name));
}

/// Fails the case where the system has no such function.
template <typename Function> Function export_of(const char* name, Where where = Where::current())
{
    void* const found = find_export(name);
    if (!found)
        fail_at(where, "ws2_32.dll has no %s", name);
    return reinterpret_cast<Function>(found);
}

/// The same for a function that the SDK declares.
#define EXPORT_OF(name) ::conformance::export_of<decltype(&::name)>(#name)

} // namespace conformance
