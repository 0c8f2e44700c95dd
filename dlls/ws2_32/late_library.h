// Functions of libraries that are loaded when first called.
#pragma once

#include <atomic>

#include "sdk.h"

namespace ws2 {

/// A function of another system library, looked up on its first use: such libraries may import
/// ws2_32 themselves, so it must not import them. Usable from any thread, in static storage; the
/// library stays loaded. Never call it from DllMain.
template <typename Function> class LateFunction {
public:
    constexpr LateFunction(const wchar_t* library, const char* name)
        : m_library(library)
        , m_name(name)
    {
    }

    /// Null when the system has no such function. Leaves the last error alone.
    Function get()
    {
        if (Function known = m_function.load(std::memory_order_acquire))
            return known;
        const DWORD last_error = GetLastError();
        HMODULE module = LoadLibraryExW(m_library, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
        const auto found
            = module ? reinterpret_cast<Function>(GetProcAddress(module, m_name)) : nullptr;
        SetLastError(last_error);
        m_function.store(found, std::memory_order_release);
        return found;
    }

private:
    const wchar_t* m_library;
    const char* m_name;
    std::atomic<Function> m_function { nullptr };
};

} // namespace ws2
